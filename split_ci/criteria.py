"""Criteria: what holds in a tree, and what a command's end proves. Pure: the commands themselves run elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.patch import patch_paths
from split_ci.paths import is_glob, matches
from split_ci.results import TAIL_BYTES, CriterionResult, Ran
from split_ci.spec import Create, Instruct, Move, Patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from split_ci.ports import Entry, Tree
    from split_ci.results import Execution
    from split_ci.spec import Criterion, Red, Spec

    Search = Callable[[str, Iterable[bytes]], bool]

FOLDER, SYMLINK, GITLINK = "040000", "120000", "160000"

# What a tool prints when something that it needs is not there: (pattern, what is missing). The group names the thing.
MISSING = (
    (r"^(?:\S*sh|\S+): (?:line )?\d+: (\S+): (?:command )?not found\s*$", "a command"),
    (r"^(?:\S*sh|\S+): (?:line \d+: )?(\S+): (?:command not found|No such file or directory)\s*$", "a command"),
    (r"^\S*sh: \d+: (?:cannot open|Can't open) (\S+?)(?:: .*)?$", "a script"),
    (r"^\S*sh: \d+: cannot open (\S+?)(?:: .*)?$", "a script"),
    (r"^env: [‘'\"]?(.+?)['’\"]?: No such file or directory\s*$", "a command"),  # noqa: RUF001 - GNU quotes like this
    (r"\bModuleNotFoundError: No module named '([^'\n]+)'", "a module"),
    (r"^(?:\S*/)?python[\w.-]*: No module named (\S+)", "a module"),
    (r"^(?:\S*/)?python[\w.-]*: can't open file '([^'\n]+)'", "a script"),
    (r"^ERROR: file or directory not found: (\S+)", "a test"),
    (r"\bCannot find (?:module|package) '([^'\n]+)'", "a module"),
    (r"\bcannot load such file -- (\S+)", "a module"),
    (r"\bCan't locate (\S+) in @INC", "a module"),
    (r"^make(?:\[\d+\])?: (\S+): No such file or directory", "a command"),
    (r"^\S+: error: unrecognized arguments: (.*\S)", "an option"),
)
EXHAUSTED = (
    (r"^(?:\S+: )*MemoryError\b|\bCannot allocate memory\b|\bstd::bad_alloc\b|\bJavaScript heap out of memory\b", "memory"),
    (r"\bNo space left on device\b", "disk"),
    (r"\bFile too large\b", "file size"),
    (r"\bToo many open files\b", "open files"),
)


class Verdict(NamedTuple):
    """Whether a criterion is as required on one side; `code` is the problem where the base is to blame."""

    ok: bool
    reason: str = ""
    code: str = ""


def holds(criterion: Criterion, tree: Tree, *, specs: str = "specs", search: Search | None = None) -> bool:
    """Whether a criterion that runs nothing holds in a tree.

    Globs of `contains` and `lacks` don't reach into the folder of specs, unless they name it: a spec quotes what it removes.
    `search` looks for a regular expression in contents; give one that ends in time where the pattern isn't trusted.
    """
    subject = criterion.subject
    if criterion.kind == "exists":
        return _any_path(subject, tree)
    if criterion.kind == "missing":
        return not _any_path(subject, tree)
    if criterion.kind == "blob":
        entry = tree.entry(subject)
        return entry is not None and entry.oid == criterion.blob and criterion.mode in (None, entry.mode)
    found = _any_text(criterion, tree, specs, search or search_here)
    return found if criterion.kind == "contains" else not found


def search_here(pattern: str, contents: Iterable[bytes]) -> bool:
    """Whether a regular expression (`^` and `$` at every line) is found in any of the contents, which are read as UTF-8.

    Has no deadline.
    """
    import re  # noqa: PLC0415

    compiled = re.compile(pattern, re.MULTILINE)
    return any(compiled.search(data.decode("utf-8", "surrogateescape")) for data in contents)


def _any_path(subject: str, tree: Tree) -> bool:
    if tree.entry(subject) is not None:
        return True
    return is_glob(subject) and any(matches(subject, path) for path in tree.paths())


def _any_text(criterion: Criterion, tree: Tree, specs: str, search: Search) -> bool:
    contents = _contents(criterion.subject, tree, specs)
    if criterion.regex is not None:
        return search(criterion.regex, contents)
    wanted = (criterion.text or "").encode()
    return any(wanted in data for data in contents)


def _contents(glob: str, tree: Tree, specs: str) -> Iterable[bytes]:
    seen: set[str] = set()
    for path, entry in _entries(glob, tree):
        below_specs = path.startswith(specs + "/") and not glob.startswith(specs + "/")
        if entry.mode in (FOLDER, SYMLINK, GITLINK) or entry.oid in seen or (below_specs and is_glob(glob)):
            continue
        seen.add(entry.oid)
        file = tree.read(path)
        if file is not None:
            yield file.data


def _entries(glob: str, tree: Tree) -> Iterable[tuple[str, Entry]]:
    if not is_glob(glob):
        entry = tree.entry(glob)
        return [(glob, entry)] if entry else []
    return ((path, entry) for path, entry in tree.paths().items() if matches(glob, path))


def made_by(spec: Spec) -> tuple[str, ...]:
    """The paths that a spec's result may hold and its base need not: what may be missing before it without proving
    nothing.
    """
    made: list[str] = []
    for change in spec.changes:
        if isinstance(change, Create):
            made.append(change.path)
        elif isinstance(change, Move):
            made.append(change.target)
        elif isinstance(change, Instruct):
            made.extend(change.paths)
        elif isinstance(change, Patch):
            made.extend(path for path, verb in patch_paths(change.diff) if verb != "delete")
    return tuple(made)


def broken(done: Execution, made: Sequence[str] = (), red: Red | None = None) -> str:  # noqa: PLR0911 - one line a reason
    """Why a command's end proves nothing; empty where it is an ordinary success or failure, or just what `red` asks for."""
    if done.fault:
        return done.fault
    if done.cap:
        return f"resource limit: {done.cap}"
    if done.exit == 0 or (red is not None and as_asked(red, done)):
        return ""
    if done.signal is not None:
        return f"ended by {_signal(done.signal)}"
    code = done.exit if done.exit is not None else -1
    text = done.output.decode("utf-8", "replace")
    missing = _missing(text, made)
    if missing is not None:
        return missing
    if code in (126, 127) and not _names_made(text, made):
        return f"exit {code}: a command is missing or can't be run{_last_line(text)}"
    if code > 128 and code - 128 in _SIGNALS:
        return "resource limit: file size" if code - 128 == _SIGXFSZ else f"exit {code}: ended by {_signal(code - 128)}"
    if not 1 <= code <= 127:
        return f"exit {code} is no ordinary failure (1 to 125)"
    return _exhausted(text)


def as_asked(red: Red, done: Execution) -> bool:
    """Whether a command failed just as `red:` says."""
    if done.exit in (0, None):
        return False
    if red.exit is not None and red.exit != done.exit:
        return False
    return red.text is None or red.text.encode() in done.output


def judge_base(criterion: Criterion, done: Execution, made: Sequence[str] = ()) -> Verdict:
    """Whether a command ended on the base as it must: red first, or, for a guard, green."""
    why = broken(done, made, criterion.red)
    if criterion.guard:
        if why or done.exit != 0:
            return Verdict(ok=False, reason=f"the guard is red before the change: {why or _failure(done)}", code="SP506")
        return Verdict(ok=True)
    if why:
        return Verdict(ok=False, reason=f"it proves nothing on the base: {why}", code="SP505")
    if done.exit == 0:
        return Verdict(ok=False, reason="it is green on the base, before any change", code="SP504")
    if criterion.red is not None and not as_asked(criterion.red, done):
        asked = _asked(criterion.red)
        return Verdict(
            ok=False, reason=f"on the base it fails otherwise than `red` says ({asked}): {_failure(done)}", code="SP505"
        )
    return Verdict(ok=True)


def judge_result(done: Execution) -> Verdict:
    """Whether a command is green on the result."""
    if done.exit == 0 and not done.cap and not done.fault:
        return Verdict(ok=True)
    return Verdict(ok=False, reason=f"red on the result: {broken(done) or _failure(done)}")


def judge_run(
    criterion: Criterion, base: Execution | None, result: Execution | None, made: Sequence[str] = ()
) -> CriterionResult:
    """A `run` criterion's result from what its command did on each side (None: not run there)."""
    on_base = judge_base(criterion, base, made) if base else Verdict(ok=True)
    on_result = judge_result(result) if result else Verdict(ok=True)
    return _result(
        criterion, on_base, on_result, judged=(base is not None, result is not None),
        base=ran(base, broken(base, made, criterion.red)) if base else None,
        result=ran(result, broken(result)) if result else None,
    )  # fmt: skip


def judge_trees(criterion: Criterion, base: bool | None, result: bool | None) -> CriterionResult:
    """Any other criterion's result, from whether it holds on each side (None: not asked there)."""
    on_base = on_result = Verdict(ok=True)
    if base is False and criterion.guard:
        on_base = Verdict(ok=False, reason="the guard does not hold before the change", code="SP506")
    elif base and not criterion.guard:
        on_base = Verdict(ok=False, reason="it holds on the base, before any change", code="SP504")
    if result is False:
        on_result = Verdict(ok=False, reason="it does not hold on the result")
    return _result(criterion, on_base, on_result, judged=(base is not None, result is not None))


def _result(
    criterion: Criterion, on_base: Verdict, on_result: Verdict, *, judged: tuple[bool, bool],
    base: Ran | None = None, result: Ran | None = None,
) -> CriterionResult:  # fmt: skip
    green: bool | None = on_result.ok if judged[1] else None
    if criterion.guard and not on_base.ok:
        green = False
    return CriterionResult(
        id=criterion.id, run=str(criterion), red=None if criterion.guard or not judged[0] else on_base.ok, green=green,
        seconds=sum(one.seconds for one in (base, result) if one), reason=on_base.reason or on_result.reason,
        base=base, result=result, code=on_base.code,
    )  # fmt: skip


def ran(done: Execution, why: str) -> Ran:
    """What is kept and shown of a command's end."""
    return Ran(done.exit, round(done.seconds, 3), tail(done.output), why)


def tail(output: bytes, most: int = TAIL_BYTES) -> str:
    """The end of foreign output, made safe to show in a terminal and in a workflow's log, at most `most` bytes long.

    Escape sequences are dropped, control and invisible characters shown as escapes, and a line that a
    workflow's runner would
    take for a command gets a mark before it.
    """
    import re  # noqa: PLC0415

    text = output[-4 * most :].decode("utf-8", "replace").replace("\r\n", "\n")
    text = re.sub(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]|\x1b\[[0-?]*[ -/]*[@-~]", "", text)
    text = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    text = re.sub(r"(?m)^(\s*)(::|##\[)", r"\1| \2", text)
    text = text.encode()[-most:].decode("utf-8", "ignore")
    return text if len(text) < most else "…" + text[3:]


def _missing(text: str, made: Sequence[str]) -> str | None:
    """What the output says is missing, where it isn't something that the spec makes."""
    import re  # noqa: PLC0415

    for pattern, kind in MISSING:
        for found in re.finditer(pattern, text, re.MULTILINE):
            name = found.group(1).strip("'\"‘’`:")  # noqa: RUF001
            if not is_made(name, made):
                return f"{kind} is missing: {' '.join(tail(name[:200].encode()).split())}"
    return None


def _names_made(text: str, made: Sequence[str]) -> bool:
    import re  # noqa: PLC0415

    names = (found.group(1) for pattern, _ in MISSING for found in re.finditer(pattern, text, re.MULTILINE))
    return any(is_made(name.strip("'\"‘’`:"), made) for name in names)  # noqa: RUF001


def is_made(name: str, made: Sequence[str]) -> bool:
    """Whether a missing module, script or test is one that the spec makes: `pkg.new` by `src/pkg/new.py`, `./a.sh` by
    `a.sh`.
    """
    name = name.split("::", maxsplit=1)[0]
    slashed = name.removeprefix("./").rstrip("/")
    parts = [p for p in slashed.split("/") if p not in ("", ".", "..")] if "/" in slashed else slashed.split(".")
    for path in made:
        if slashed == path or slashed.endswith("/" + path) or path.startswith(slashed + "/") or path.endswith("/" + slashed):
            return True
        if _runs_in(_stemmed(parts) if "/" in slashed else parts, _stemmed(path.split("/"))):
            return True
    return False


def _stemmed(parts: Sequence[str]) -> list[str]:
    return [*parts[:-1], parts[-1].partition(".")[0] or parts[-1]] if parts else []


def _runs_in(parts: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether parts stand in a row in the whole."""
    size = len(parts)
    return bool(parts) and any(list(whole[i : i + size]) == list(parts) for i in range(len(whole) - size + 1))


def _exhausted(text: str) -> str:
    import re  # noqa: PLC0415

    for pattern, name in EXHAUSTED:
        if re.search(pattern, text, re.MULTILINE):
            return f"resource limit: {name}"
    return ""


def _failure(done: Execution) -> str:
    return f"exit {done.exit}{_last_line(done.output.decode('utf-8', 'replace'))}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in tail(text.encode("utf-8", "replace")).splitlines() if line.strip()]
    return f": {lines[-1][:200]}" if lines else ""


def _asked(red: Red) -> str:
    exits = f"exit {red.exit}" if red.exit is not None else ""
    return ", ".join(part for part in (exits, f"text {red.text!r}" if red.text is not None else "") if part)


_SIGNALS = {1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL",
            11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ",
            31: "SIGSYS"}  # fmt: skip
_SIGXFSZ = 25


def _signal(number: int) -> str:
    return _SIGNALS.get(number, f"signal {number}")
