"""Problems: what `check` finds, each with a stable code.

A code is one row of `CODES`; its meaning, an example and the fix are the section of that name in `problems.md`,
which `split-ci explain` prints. The hundreds are kinds:

    SP1xx  the file: structure, front matter, types        SP5xx  criteria
    SP2xx  paths and protected paths                       SP6xx  specs among each other
    SP3xx  exact edits against the tree                    SP7xx  lessons
    SP4xx  taste and likelihood (these can be waived)
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]


class Code(NamedTuple):
    """A kind of problem. Only judgements of taste and likelihood are `waivable`."""

    title: str
    severity: Severity = "error"
    waivable: bool = False


class Problem(NamedTuple):
    """One finding in one file; `line` and `column` count from 1, `fix` is what to do next."""

    code: str
    path: str
    line: int
    message: str
    fix: str = ""
    column: int = 1
    severity: Severity = "error"


CODES: dict[str, Code] = {
    "SP101": Code("the file is not plain UTF-8 text"),
    "SP102": Code("the file is too large"),
    "SP103": Code("there is no front matter"),
    "SP104": Code("the front matter is too large or too deep"),
    "SP105": Code("the front matter is not YAML"),
    "SP106": Code("a key is there twice"),
    "SP107": Code("YAML anchors, aliases, tags and merge keys are not allowed"),
    "SP108": Code("YAML reads this value as something else than it looks"),
    "SP109": Code("unknown key"),
    "SP110": Code("a required key is missing"),
    "SP111": Code("a value is of the wrong type"),
    "SP112": Code("a value is out of range"),
    "SP113": Code("the file name is not a spec id"),
    "SP114": Code("a spec is a plain file directly in the specs folder"),
    "SP115": Code("two specs have the same id, or ids that fall together"),
    "SP120": Code("there is no section `## Changes`, or nothing in it"),
    "SP121": Code("a section under `## Changes` is not one of the verbs"),
    "SP122": Code("a heading does not name its paths as the verb asks"),
    "SP123": Code("a label is not `Before:` or `After:`"),
    "SP124": Code("a fence too many"),
    "SP125": Code("a fence is missing"),
    "SP126": Code("a fence inside a list or a quotation"),
    "SP127": Code("a fence is not closed"),
    "SP128": Code("an escape that is not one"),
    "SP129": Code("not a unified diff as git writes it"),
    "SP130": Code("an empty `Before`"),
    "SP131": Code("`After` is the same as `Before`"),
    "SP132": Code("an `Instruct` section that says nothing"),
    "SP201": Code("a path that may not be used"),
    "SP202": Code("a symlink is on the way"),
    "SP203": Code("a path that some file systems can't tell from another"),
    "SP204": Code("a protected path without its own line"),
    "SP205": Code("a path out of reach for every spec"),
    "SP206": Code("a protected path in the hands of a model"),
    "SP207": Code("a file where a folder is, or a folder where a file is"),
    "SP208": Code("a submodule is in the way"),
    "SP209": Code("a line that names a path which no section changes", "warning"),
    "SP301": Code("the text of `Before` is not in the file"),
    "SP302": Code("the text of `Before` is there another number of times"),
    "SP303": Code("the file is not there"),
    "SP304": Code("the file is there already"),
    "SP305": Code("the file is not UTF-8 text"),
    "SP306": Code("a hunk does not fit"),
    "SP307": Code("nothing would change"),
    "SP308": Code("a patch of a kind that is not applied"),
    "SP309": Code("the result is too large"),
    "SP310": Code("a file in conflict"),
    "SP411": Code("placeholder text", waivable=True),
    "SP412": Code("something that looks like a secret", waivable=True),
    "SP413": Code("invisible or bidirectional characters", waivable=True),
    "SP414": Code("instructions that lean on what the reader can't see", waivable=True),
    "SP415": Code("a reference to something that is removed", waivable=True),
    "SP501": Code("no criterion that can fail"),
    "SP502": Code("a criterion that always passes"),
    "SP503": Code("a criterion that can't be read"),
    "SP504": Code("a criterion that is green before the change"),
    "SP505": Code("a criterion that proves nothing on the base"),
    "SP506": Code("a guard that is red before the change"),
    "SP601": Code("a need that is not there"),
    "SP602": Code("needs that go in a circle"),
    "SP603": Code("two ready specs change the same lines"),
    "SP604": Code("a need that is still a draft", "warning"),
    "SP701": Code("a lesson that can't be read"),
    "SP702": Code("a lesson that is too long"),
    "SP703": Code("a lesson with something that has no place there"),
    "SP704": Code("a lesson that is there already"),
    "SP801": Code("the configuration can't be read"),
}


def problem(code: str, path: str, line: int, message: str, fix: str = "", column: int = 1) -> Problem:
    """A problem with its code's severity. Raises KeyError for a code without a row."""
    return Problem(code, path, line, message, fix, column, CODES[code].severity)
