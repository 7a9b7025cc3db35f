"""What the architect answers when it designs: the files that it wants to read, or the spec itself. Text in, values out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.spec import parse_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.problems import Problem

READ, SPEC = "READ ", "SPEC"
MAX_PATHS = 20  # of one answer
UNREADABLE = (
    "Your answer is neither. Write `READ path` lines and nothing else, or a line `SPEC` and below it the whole file, "
    "which begins with `---`."
)
CUT_OFF = "Your answer was cut off by its length limit. Answer with the whole spec again: fewer sections, or shorter ones."


class DesignReply(NamedTuple):
    """One of three: paths to read, a spec's text, or neither."""

    paths: tuple[str, ...] = ()
    spec: str | None = None


def read_reply(text: str) -> DesignReply:
    """An answer's paths or its spec. Words around `READ` lines are passed over, and so is a fence around the spec."""
    lines = text.replace("\r\n", "\n").split("\n")
    start = next((n for n, line in enumerate(lines) if line.strip() in (SPEC, "---")), None)
    if start is not None:
        body = lines[start + 1 :] if lines[start].strip() == SPEC else lines[start:]
        return DesignReply(spec="\n".join(_unfenced(body)).strip("\n") + "\n")
    wanted = (line.strip().removeprefix(READ).strip().strip("`\"'") for line in lines if line.strip().startswith(READ))
    return DesignReply(paths=tuple(dict.fromkeys(path for path in wanted if path))[:MAX_PATHS])


def _unfenced(lines: Sequence[str]) -> Sequence[str]:
    """The lines without a fence around all of them."""
    kept = [n for n, line in enumerate(lines) if line.strip()]
    if len(kept) < 3:
        return lines
    first, last = lines[kept[0]].strip(), lines[kept[-1]].strip()
    mark = first.rstrip("abcdefghijklmnopqrstuvwxyz")
    if len(mark) >= 3 and set(mark) in ({"`"}, {"~"}) and last == mark:
        return lines[kept[0] + 1 : kept[-1]]
    return lines


def with_status(text: str, status: str) -> str:
    """The spec's text with another `status`, everything else untouched; as it is where it has no readable front matter."""
    parsed = parse_spec(text.encode(), "specs/a.md").spec
    lines = text.split("\n")
    if parsed is None or not lines or lines[0].strip() != "---":
        return text
    at = parsed.lines.get("status")
    if at:
        lines[at - 1] = f"status: {status}"
    else:
        lines.insert(1, f"status: {status}")
    changed = "\n".join(lines)
    again = parse_spec(changed.encode(), "specs/a.md").spec
    return changed if again and again.status == status and again.title == parsed.title else text


def problems_text(problems: Sequence[Problem], text: str, path: str, most: int = 20) -> str:
    """The problems of a spec as its writer is told them, each with the line that it is about."""
    lines = text.split("\n")
    said = ["The spec does not pass. Mend every problem, then answer with SPEC and the whole file again."]
    for one in problems[:most]:
        where = f"line {one.line}" if one.path == path else one.path
        line = lines[one.line - 1].strip()[:120] if one.path == path and 0 < one.line <= len(lines) else ""
        said.append(f"- {where}{f' ({line})' if line else ''}: {one.code}: {one.message}. Fix: {one.fix or 'see the rules'}")
    if len(problems) > most:
        said.append(f"- and {len(problems) - most} more")
    return "\n".join(said) + "\n"
