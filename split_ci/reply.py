"""A model's answer: its edit blocks read, judged and applied by the same engine as the exact sections of a spec."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from split_ci import edit, paths, text_rules
from split_ci.changed_tree import FOLDER, GITLINK, SYMLINK, ChangedTree
from split_ci.frozen import is_frozen
from split_ci.spec import Create, Edit, Pair, Replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.ports import File, Task, Tree

Kind = Literal[
    "cut-off", "refused", "empty", "no-block", "no-path", "unfinished", "divider", "too-much",
    "path", "frozen", "out-of-reach", "protected", "outside",
    "absent", "twice", "exists", "not-there", "not-text", "same", "text", "engine", "untouched",
]  # fmt: skip
MARKER = re.compile(r"(<{5,}|={5,}|>{5,})(?: ?(SEARCH|REPLACE))?[ \t]*\r?$")
FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[^`]*$")
DECORATION = "`*\"'#: \t"
MAX_CHARS = 2 * 1024 * 1024
MAX_BLOCKS = 400


class Block(NamedTuple):
    """One edit block; `search` and `replace` are whole lines, or empty. `line` is the block's in the answer."""

    path: str
    search: str
    replace: str
    line: int


class Fault(NamedTuple):
    """Why a block, or the whole answer, was not taken. `search` is the text in question, `detail` a few words."""

    kind: Kind
    path: str = ""
    line: int = 0
    detail: str = ""
    search: str = ""


class Answer(NamedTuple):
    """What an answer holds: complete blocks in their order, and what was no block."""

    blocks: tuple[Block, ...]
    faults: tuple[Fault, ...]


class Taken(NamedTuple):
    """What blocks made of a tree: files by path since the task's tree, the blocks that hold, and why others don't."""

    files: Mapping[str, File | None]
    held: tuple[Block, ...]
    faults: tuple[Fault, ...]


def parse_answer(text: str, stop: str = "end") -> Answer:
    """Reads an answer. `stop` is the reply's: what was cut off or refused says so. Never raises."""
    if stop == "refusal":
        return Answer((), (Fault("refused", detail=_first_line(text)),))
    if len(text) > MAX_CHARS:
        return Answer((), (Fault("too-much", detail=f"{len(text)} characters, at most {MAX_CHARS}"),))
    if not text.strip():
        return Answer((), (Fault("cut-off" if stop == "length" else "empty"),))
    blocks, faults = _blocks(text.replace("\r\n", "\n").split("\n"))
    blocks = _once(blocks)
    if stop == "length":
        faults = [f for f in faults if f.kind != "unfinished"] + [Fault("cut-off", detail=str(len(blocks)))]
    elif not blocks and not faults:
        faults = [Fault("no-block", detail=_first_line(text))]
    if len(blocks) > MAX_BLOCKS:
        return Answer((), (Fault("too-much", detail=f"{len(blocks)} blocks, at most {MAX_BLOCKS}"),))
    return Answer(tuple(blocks), tuple(faults))


def _once(blocks: Sequence[Block]) -> list[Block]:
    """An answer that says the same block twice means it once: its text would be gone the second time."""
    known: dict[tuple[str, str, str], Block] = {}
    for block in blocks:
        known.setdefault(block[:3], block)
    return list(known.values())


def _blocks(lines: Sequence[str]) -> tuple[list[Block], list[Fault]]:
    blocks: list[Block] = []
    faults: list[Fault] = []
    last_path, free_since, number = "", 0, 0
    while number < len(lines):
        if _marker(lines[number]) != "<":
            number += 1
            continue
        path = _path_above(lines, number, free_since) or (last_path if _only_fences(lines[free_since:number]) else "")
        start = number
        found, number = _block(lines, number, path)
        free_since = number
        if isinstance(found, Fault):
            faults.append(found)
            free_since = start + 1 if found.kind == "unfinished" else number
        else:
            blocks.append(found)
            last_path = found.path
    return blocks, faults


def _block(lines: Sequence[str], start: int, path: str) -> tuple[Block | Fault, int]:
    """The block whose first marker is at `start`, or why it is none, and the number of the line after it."""
    size = len(lines[start]) - len(lines[start].lstrip("<"))
    dividers: list[int] = []
    for number in range(start + 1, len(lines)):
        kind = _marker(lines[number], size)
        if kind == "=":
            dividers.append(number)
        elif kind == "<":
            return Fault("unfinished", path, start + 1), number
        elif kind == ">":
            return _closed(lines, start, dividers, number, path), number + 1
    return Fault("unfinished", path, start + 1), len(lines)


def _closed(lines: Sequence[str], start: int, dividers: Sequence[int], end: int, path: str) -> Block | Fault:
    if not dividers:
        return Fault("unfinished", path, start + 1)
    if len(dividers) > 1:
        return Fault("divider", path, start + 1)
    if not path:
        return Fault("no-path", "", start + 1, search=_joined(lines[start + 1 : dividers[0]]))
    search, replace = _joined(lines[start + 1 : dividers[0]]), _joined(lines[dividers[0] + 1 : end])
    return Block(path, search, replace, start + 1)


def _joined(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _marker(line: str, size: int | None = None) -> str:
    """`<`, `=` or `>` for a line that is a marker (of a size), else nothing."""
    found = MARKER.match(line)
    if not found:
        return ""
    signs, word = found.groups()
    if word != {"<": "SEARCH", "=": None, ">": "REPLACE"}[signs[0]] or (size is not None and len(signs) != size):
        return ""
    return signs[0]


def _path_above(lines: Sequence[str], start: int, floor: int) -> str:
    """The path on the last line with words above a block, without quotes and signs; empty where there is none."""
    for number in range(start - 1, floor - 1, -1):
        line = lines[number].strip()
        fence = FENCE.match(line)
        if not line or fence:
            continue
        path = line.strip(DECORATION)
        return path if path and not (" " in path and line[-1] in ".:!?") else ""
    return ""


def _only_fences(lines: Sequence[str]) -> bool:
    return all(not line.strip() or FENCE.match(line) for line in lines)


def _first_line(text: str) -> str:
    return " ".join(text.split())[:160]


def apply_answer(answer: Answer, task: Task, files: Mapping[str, File | None]) -> Taken:
    """Applies the blocks in order on top of `files`: each whole or not at all, and only where a model may write."""
    made = dict(files)
    held: list[Block] = []
    faults = list(answer.faults)
    for block in answer.blocks:
        fault = path_fault(block.path, task) or _apply(block, task, made)
        if fault is None:
            held.append(block)
        else:
            faults.append(fault._replace(line=block.line, search=block.search))
    return Taken(made, tuple(held), tuple(faults))


def path_fault(path: str, task: Task) -> Fault | None:
    """Why a model may not write a path, whatever it would write there."""
    said = paths.path_fault(path)
    if said:
        return Fault("path", path, detail=said)
    if paths.out_of_reach(path, task.spec.path.rpartition("/")[0]):
        return Fault("out-of-reach", path)
    if paths.protected(path, task.protected):
        return Fault("protected", path)
    if is_frozen(path, task.frozen, task.spec):
        return Fault("frozen", path)
    if path not in task.writable and not any(paths.matches(glob, path) for glob in task.writable):
        return Fault("outside", path)
    return None


def _apply(block: Block, task: Task, made: dict[str, File | None]) -> Fault | None:
    """Applies one block to `made`; the fault where that can't be."""
    tree = ChangedTree(task.tree, made)
    fault = _way_fault(block.path, tree) or _block_fault(block, tree) or _text_fault(block, task)
    if fault:
        return fault
    applied = edit.apply_exact([_change(block, tree)], tree, task.spec.path)
    if applied.problems or applied.left:
        return _engine_fault(block, [p.code for p in applied.problems], "; ".join(p.message for p in applied.problems))
    made.update(applied.files)
    return None


def _change(block: Block, tree: Tree) -> Edit | Create | Replace:
    """A block as the section of a spec that says the same."""
    if block.search:
        return Edit(block.path, (Pair(block.search, block.replace, 1, block.line, block.line),), block.line)
    old = tree.read(block.path)
    if old is None:
        return Create(block.path, block.replace, executable=False, line=block.line)
    return Replace(block.path, block.replace, executable=old.mode == "100755", line=block.line)


def _way_fault(path: str, tree: Tree) -> Fault | None:
    """Folders on the way must be folders, the end a plain file, and no other name may fall together with this one."""
    parts = path.split("/")
    for depth in range(1, len(parts)):
        entry = tree.entry("/".join(parts[:depth]))
        if entry is None:
            break
        if entry.mode != FOLDER:
            return Fault("path", path, detail=f"{'/'.join(parts[:depth])} is not a folder")
    entry = tree.entry(path)
    if entry is not None and entry.mode in (FOLDER, SYMLINK, GITLINK):
        what = {FOLDER: "a folder", SYMLINK: "a symlink", GITLINK: "a submodule"}[entry.mode]
        return Fault("path", path, detail=f"it is {what}")
    if entry is None:
        twin = _twin(parts, tree)
        return Fault("path", path, detail=f"{twin} is there, and some file systems can't tell them apart") if twin else None
    return None


def _twin(parts: Sequence[str], tree: Tree) -> str:
    for depth in range(len(parts)):
        folder = "/".join(parts[:depth])
        for name in tree.names(folder):
            if name != parts[depth] and paths.fold(name) == paths.fold(parts[depth]):
                return f"{folder}/{name}" if folder else name
    return ""


def _block_fault(block: Block, tree: Tree) -> Fault | None:
    """What the engine's own messages would say in the words of a spec, said in those of a block."""
    old = tree.read(block.path)
    if not block.search:
        return Fault("exists", block.path) if old is not None and old.data else None
    if old is None:
        return Fault("not-there", block.path)
    return Fault("same", block.path) if block.search == block.replace else None


def _text_fault(block: Block, task: Task) -> Fault | None:
    """Placeholders, secrets and invisible characters that a block would add, where the spec doesn't waive them."""
    for remark in text_rules.added_remarks(block.replace, block.path, set(block.search.split("\n"))):
        if remark.code not in task.spec.waive:
            return Fault("text", block.path, detail=f"{remark.message}: {remark.fix}")
    return None


def _engine_fault(block: Block, codes: Sequence[str], said: str) -> Fault:
    kinds: dict[str, Kind] = {"SP301": "absent", "SP302": "twice", "SP305": "not-text", "SP307": "same", "SP131": "same"}
    kind = next((kinds[c] for c in codes if c in kinds), None)
    return Fault(kind or "engine", block.path, detail=said or "it could not be applied")
