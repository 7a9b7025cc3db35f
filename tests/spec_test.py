"""Specs: what is read from a file, and what is said of a bad one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from split_ci.problems import CODES
from split_ci.spec import (
    Create,
    Criterion,
    Delete,
    Edit,
    Instruct,
    Limits,
    Move,
    Pair,
    Parsed,
    Patch,
    Red,
    Replace,
    id_fault,
    parse_spec,
    touched,
)
from tests.promptly import promptly

HEAD = "---\ntitle: A change\nstatus: ready\naccept:\n  - missing: a\n---\n"  # six lines
BODY = "## Changes\n### Delete `a`\n"
EDIT = "### Edit `a`\nBefore:\n```\nx\n```\nAfter:\n```\ny\n```\n"

FULL = """\
---
title: Fold the two loaders into one        # a comment
status: ready
needs: [rename-hooks]
implementer: cheap
read: ["docs/loading.md"]
allow: ["tests/data/**"]
protected: [".github/workflows/ci.yml"]
waive: [SP412]
accept:
  - run: python -m pytest -q tests/test_loader.py
  - run: python -m pytest -q
    guard: true
  - run: ./check.sh
    red: {exit: 3, text: "no such skill"}
  - missing: src/old_loader.py
  - lacks: {in: "**/*.py", text: old_loader}
  - contains: {in: a.py, regex: "^x+$"}
  - blob: {path: b, id: "0123456789012345678901234567890123456789", mode: "100755"}
  - exists: c
limits: {rounds: 3, minutes: 10, tokens: 60000, usd: 0.05}
---

## Why
For people.

### Not a section

## Changes
Words before.

### Edit `src/loader.py`
Because.

Before (2 times):
```python
a
```
After:

````md
```
b
```
````

### Create `src/parse.py` (executable) (no final newline)
~~~
x

~~~
### Create `w.txt` (crlf)
``` escaped
a\\tb
```
### Replace `full.txt`
```
```
### Delete `src/old_loader.py`
### Move `docs/old.md` to `docs/loading.md`
### Patch
```diff
diff --git a/m b/m
old mode 100644
new mode 100755
```
### Instruct `docs/loading.md`, ``b`c``
Write it.

- well

#### And
so on

## Review checklist
- [ ] Read.
"""


def test_a_whole_spec() -> None:
    parsed = parse_spec(FULL.encode(), "specs/fold.md")
    assert parsed.problems == ()
    spec = parsed.spec
    assert spec is not None
    assert (spec.id, spec.path, spec.title, spec.status) == (
        "fold",
        "specs/fold.md",
        "Fold the two loaders into one",
        "ready",
    )
    assert (spec.needs, spec.implementer, spec.read) == (("rename-hooks",), "cheap", ("docs/loading.md",))
    assert (spec.allow, spec.protected, spec.waive) == (("tests/data/**",), (".github/workflows/ci.yml",), ("SP412",))
    assert spec.limits == Limits(3, 10.0, 60000, 0.05)
    assert spec.data == FULL.encode()
    assert len(spec.digest) == 64
    assert spec.why == "For people.\n\n### Not a section"
    assert spec.checklist == "- [ ] Read."
    assert spec.lines["accept"] == 10
    blob = "0123456789012345678901234567890123456789"
    assert spec.accept == (
        Criterion("a1", "run", "python -m pytest -q tests/test_loader.py", 11),
        Criterion("a2", "run", "python -m pytest -q", 12, guard=True),
        Criterion("a3", "run", "./check.sh", 14, red=Red(3, "no such skill")),
        Criterion("a4", "missing", "src/old_loader.py", 16),
        Criterion("a5", "lacks", "**/*.py", 17, text="old_loader"),
        Criterion("a6", "contains", "a.py", 18, regex="^x+$"),
        Criterion("a7", "blob", "b", 19, blob=blob, mode="100755"),
        Criterion("a8", "exists", "c", 20),
    )
    assert [str(criterion) for criterion in spec.accept] == [
        "python -m pytest -q tests/test_loader.py", "python -m pytest -q", "./check.sh", "missing src/old_loader.py",
        "**/*.py lacks 'old_loader'", "a.py contains /^x+$/", f"blob b is {blob} (100755)", "exists c",
    ]  # fmt: skip
    assert spec.changes == (
        Edit("src/loader.py", (Pair("a\n", "```\nb\n```\n", 2, 36, 41),), 32),
        Create("src/parse.py", "x\n", True, 47, 48),
        Create("w.txt", "a\tb\r\n", False, 52, 53),
        Replace("full.txt", "", False, 56, 57),
        Delete("src/old_loader.py", 59),
        Move("docs/old.md", "docs/loading.md", 60),
        Patch("diff --git a/m b/m\nold mode 100644\nnew mode 100755\n", 61, 62),
        Instruct(("docs/loading.md", "b`c"), "Write it.\n\n- well\n\n#### And\nso on", 67),
    )
    assert [touched(change) for change in spec.changes[4:]] == [
        ("src/old_loader.py",), ("docs/old.md", "docs/loading.md"), ("m",), ("docs/loading.md", "b`c"),
    ]  # fmt: skip


def said(parsed: Parsed) -> list[str]:
    return [f"{p.line}:{p.column} {p.code} {p.message} | {p.fix}" for p in parsed.problems]


def one_accept(entry: str) -> str:
    return f"---\ntitle: x\naccept:\n  - {entry}\n---\n{BODY}"


def key(line: str) -> str:
    return HEAD.replace("status: ready\n", f"status: ready\n{line}\n") + BODY


def change(body: str) -> str:
    return HEAD + "## Changes\n" + body


ONE_OF = "write exactly one of `run`, `exists`, `missing`, `contains`, `lacks`, `blob`"
LABELS = "write `Before:`, `Before (3 times):` or `After:`"
RED = "write a command that fails before the change"
BAD: dict[str, tuple[str | bytes, list[str]]] = {
    "not UTF-8": (HEAD.encode() + b"\xe9\xff", [
        "7:1 SP101 byte 0xe9 is not UTF-8 | save it as UTF-8; write odd bytes in a fence whose info ends in `escaped`"]),
    "a lone carriage return": (HEAD + "a\rb", [
        "7:2 SP101 the file holds a carriage return | write `\\r` in a fence whose info ends in `escaped`"]),
    "a NUL": (HEAD + "\0", ["7:1 SP101 the file holds a NUL | write `\\0` in a fence whose info ends in `escaped`"]),
    "too large": (b"x" * (8 * 1024 * 1024 + 1), [
        "1:1 SP102 the file has 8,388,609 bytes, at most 8,388,608 are allowed | split it into several specs"]),
    "no front matter": (BODY, [
        "1:1 SP103 the first line is not `---` | start the file with front matter: `---`, `title: …`, `accept: …`, `---`"]),
    "nothing": ("", [
        "1:1 SP103 the first line is not `---` | start the file with front matter: `---`, `title: …`, `accept: …`, `---`"]),
    "a byte order mark": ("\ufeff" + HEAD + BODY, ["1:1 SP103 the file starts with a byte order mark | save it as UTF-8 without one"]),
    "front matter that is not on line 1": ("\n" + HEAD + BODY, [
        "1:1 SP103 the front matter does not start on line 1 | take away what stands before the first `---`"]),
    "front matter without an end": ("---\ntitle: x\n", [
        "1:1 SP103 the front matter that line 1 opens is never closed | write `---` on a line of its own after it"]),
    "nested front matter": (f"---\nread: {'[' * 20000}\n---\n{BODY}", [
        "2:22 SP104 the front matter is nested over 16 deep | write it flat"]),
    "large front matter": (f"---\ntitle: {'x' * 70000}\n---\n{BODY}", [
        "2:1 SP104 the front matter is over 64 KiB | move what people read to `## Why`"]),
    "not YAML": ("---\ntitle: [x\naccept: y\n---\n" + BODY, [
        "3:7 SP105 the front matter is not YAML: did not find expected ',' or ']' | quote the value, or mend the indentation"]),
    "a list for front matter": ("---\n- x\n---\n" + BODY, [
        "2:1 SP111 the front matter is a list, not a mapping | write `key: value` lines"]),
    "a key twice": (key("status: draft"), ["4:1 SP106 `status` is there twice (lines 3 and 4) | keep one of them"]),
    "an anchor and an alias": (key("read: [&a x, *a]"), [
        "4:8 SP107 an anchor (`&a`) | take it away and write the value out", "4:14 SP107 an alias (`*a`) | write the value out"]),
    "a tag": (key("implementer: !!python/object/apply:os.system x"), [
        "4:14 SP107 a tag (`tag:yaml.org,2002:python/object/apply:os.system`) | take it away"]),
    "a merge key": (key("<<: {title: y}"), ["4:1 SP107 a merge key (`<<`) | write the keys out"]),
    "a title that is no text": ("---\ntitle: 12:30\naccept: [{missing: a}]\n---\n" + BODY, [
        '2:8 SP108 `title`: YAML reads `12:30` as a number | quote it: "12:30"']),
    "NO": (key("needs: [NO]"), ['4:9 SP108 `needs`: YAML reads `NO` as false | quote it: "NO"']),
    "an exponent": (key("needs: [1e3]"), ['4:9 SP108 `needs`: YAML reads `1e3` as a number | quote it: "1e3"']),
    "an octal": (key("needs: [0o17]"), ['4:9 SP108 `needs`: YAML reads `0o17` as a number | quote it: "0o17"']),
    "a date": (key("needs: [2026-01-02]"), ['4:9 SP108 `needs`: YAML reads `2026-01-02` as a date | quote it: "2026-01-02"']),
    "a tilde": (key("implementer: ~"), ['4:14 SP108 `implementer`: YAML reads `~` as nothing | quote it: "~"']),
    "an unknown key": (key("permisions: x"), [
        "4:1 SP109 unknown key `permisions` | known here: title, status, needs, implementer, read, allow, protected, waive, accept, limits"]),
    "a key that is nearly known": (key("limts: {}"), ["4:1 SP109 unknown key `limts` | did you mean `limits`?"]),
    "an unknown key in limits": (key("limits: {round: 3}"), ["4:10 SP109 unknown key `limits.round` | did you mean `rounds`?"]),
    "no title, no criteria": ("---\nstatus: ready\n---\n" + BODY, [
        "2:1 SP110 `title` is missing | say in at most 72 characters what changes",
        "2:1 SP110 `accept` is missing | say how a result is proved: `accept:`, `  - run: …`"]),
    "a text for a list": (key("needs: a"), ["4:8 SP111 `needs` is text, not a list | write a list"]),
    "a list for a text": (key("implementer: [a]"), ["4:14 SP111 `implementer` is a list, not text | write text"]),
    "an empty value": (key("implementer:"), ["4:13 SP111 `implementer` is empty | write its value, or take the line away"]),
    "limits of a wrong type": (key("limits: {rounds: three, tokens: 010, usd: 1e3, minutes: 1_0}"), [
        "4:18 SP111 `limits.rounds` is text, not a whole number | write a whole number",
        "4:33 SP108 `limits.tokens`: `010` is not the same number to every reader of YAML | write it in plain decimal digits",
        "4:43 SP108 `limits.usd`: `1e3` is not the same number to every reader of YAML | write it in plain decimal digits",
        "4:57 SP108 `limits.minutes`: `1_0` is not the same number to every reader of YAML | write it in plain decimal digits"]),
    "limits out of range": (key("limits: {rounds: 0, usd: -1}"), [
        "4:18 SP112 `limits.rounds` is 0 | write a number from 1 to 100",
        "4:26 SP112 `limits.usd` is -1 | write a number over 0 and up to 10000"]),
    "a long title": (HEAD.replace("A change", "x" * 73) + BODY, [
        "2:8 SP112 `title` has 73 characters | say it in at most 72; the rest goes to `## Why`"]),
    "a title of two lines": (HEAD.replace("A change", '"a\\nb"') + BODY, [
        "2:8 SP112 `title` holds more than one line of plain text | write one line"]),
    "a status": (HEAD.replace("ready", "done") + BODY, ["3:9 SP112 `status` is `done` | write `draft` or `ready`"]),
    "needs that are no ids": (key("needs: [../a, b, b]"), [
        "4:9 SP112 `../a` is not a spec id: an id is lower-case letters, digits and hyphens, and starts with a letter or a digit | write the name of a file in `specs/`, without `.md`", "4:18 SP112 `b` is in `needs` twice | take one away"]),
    "codes that can't be waived": (key("waive: [SP101, SP999]"), [
        "4:9 SP112 SP101 can't be waived: the file is not plain UTF-8 text | mend what it says; only judgements of taste can be waived",
        "4:16 SP112 `SP999` is not the code of a problem | write a code that `split-ci check` printed"]),
    "no changes": (HEAD + "## Why\nx\n", [
        "7:1 SP120 there is no section `## Changes` | write that heading, and a section below it, such as ### Edit `path`"]),
    "changes by another name": (HEAD + "\n## changes\n", ["8:1 SP120 this heading is not `## Changes` | write it exactly so"]),
    "nothing under changes": (change("words\n"), [
        "7:1 SP120 there is nothing under `## Changes` | write a section below it, such as ### Edit `path`"]),
    "a verb that is none": (change("### Rename `a`\n"), [
        "8:1 SP121 ### Rename `a`: this is not one of the verbs | did you mean ### Move `path` to `path`?"]),
    "a verb that is far from any": (change("### Sing `a`\n"), [
        "8:1 SP121 ### Sing `a`: this is not one of the verbs | write one of Edit, Create, Replace, Delete, Move, Patch, Instruct"]),
    "a verb in lower case": (change("### edit `a`\n"), [
        "8:1 SP121 ### edit `a`: this is not one of the verbs | did you mean ### Edit `path`?"]),
    "a section of another level": (change("### Delete `b`\n#### Delete `a`\n"), [
        "9:1 SP121 a section's heading is of level 3, this one of 4 | write ### Delete `a`"]),
    "a section elsewhere": (HEAD + BODY + "## Why\n### Delete `b`\n", [
        "10:1 SP121 this section is not under `## Changes` | move it there, with three `#`"]),
    "a section in a list": (change("### Delete `b`\n- ### Delete `a`\n"), [
        "9:1 SP121 a section inside a list or a quotation is not read | start the heading at the start of a line"]),
    "an underlined section": (change("### Delete `b`\n\nDelete `a`\n---\n"), [
        "10:1 SP121 a section's heading is of level 3, this one of 2 | write ### Delete `a`"]),
    "no path": (change("### Edit a\n"), ["8:1 SP122 ### Edit a: it names no path | write ### Edit `path`"]),
    "half a move": (change("### Move `a`\n"), ["8:1 SP122 ### Move `a`: it names one path only | write ### Move `path` to `path`"]),
    "a move to itself": (change("### Move `a` to `a`\n"), ["8:1 SP122 ### Move `a` to `a`: it names a path twice | write ### Move `path` to `path`"]),
    "too much": (change("### Delete `a` now\n"), ["8:1 SP122 ### Delete `a` now: `now` is too much | write ### Delete `path`"]),
    "a word that does not go": (change("### Delete `a` (crlf)\n"), [
        "8:1 SP122 ### Delete `a` (crlf): `(crlf)` does not go with `Delete` | write ### Delete `path`"]),
    "a misspelt label": (change(EDIT.replace("Before:", "Befor:")), [f"9:1 SP123 `Befor:` is not a label | {LABELS}",
        "14:1 SP125 this `After:` has no `Before:` | write `Before:` and a fence, then `After:` and a fence"]),
    "a label with words above": (change(EDIT.replace("Before:", "So.\nBefore:")), [
        "10:1 SP123 `Before:` is not a paragraph of its own | leave an empty line above it",
        "15:1 SP125 this `After:` has no `Before:` | write `Before:` and a fence, then `After:` and a fence"]),
    "a bold label": (change(EDIT.replace("After:", "**After:**")), [
        "10:1 SP125 this `Before:` has no `After:` | write `After:` and a fence below it", f"13:1 SP123 `**After:**` is not a label | {LABELS}"]),
    "a fence left open": (change("### Edit `a`\nBefore:\n```\nx\nAfter:\n```\ny\n```\n"), [
        "10:1 SP125 the fence of this `Before:` is still open at line 12 | close it above `After:`",
        "15:1 SP124 a fence without a label | write `Before:` or `After:` above it, or take it away",
        "15:1 SP127 the fence that opens here is not closed | write ``` on a line of its own below it"]),
    "a number on after": (change(EDIT.replace("After:", "After (2 times):")), [
        "10:1 SP125 this `Before:` has no `After:` | write `After:` and a fence below it",
        "14:1 SP123 `After` takes no number | write `Before:` and a fence, then `After:` and a fence"]),
    "a fence without a label": (change(EDIT + "```\nz\n```\n"), [
        "17:1 SP124 a fence without a label | write `Before:` or `After:` above it, or take it away"]),
    "two fences to create": (change("### Create `a`\n```\n```\n```\n```\n"), [
        "11:1 SP124 `Create` takes one fence, this is another | make a fence that holds fences longer than they are"]),
    "a fence to delete": (change("### Delete `a`\n```\n```\n"), ["9:1 SP124 `Delete` takes no fence | take it away, or write a section for it"]),
    "a fence before sections": (change("```\n```\n### Delete `a`\n"), ["8:1 SP124 a fence before the first section | put it into a section"]),
    "no fence": (change("### Create `a`\n"), ["8:1 SP125 `Create` has no fence | write the whole text into one"]),
    "no fences to edit": (change("### Edit `a`\nwords\n"), ["8:1 SP125 `Edit` has no fences | write `Before:` and a fence, then `After:` and a fence"]),
    "a label without a fence": (change("### Edit `a`\nBefore:\n\nx\n"), [
        "9:1 SP125 there is no fence below `Before:` | write one, directly below"]),
    "two befores": (change(EDIT.replace("After", "Before")), [
        "10:1 SP125 this `Before:` has no `After:` | write `After:` and a fence below it",
        "14:1 SP125 this `Before:` has no `After:` | write `After:` and a fence below it"]),
    "a fence in a list": (change("### Create `a`\n- x\n  ```\n  ```\n"), [
        "8:1 SP125 `Create` has no fence | write the whole text into one",
        "10:1 SP126 a fence inside a list or a quotation | start it at the start of a line"]),
    "a fence without an end": (change("### Create `a`\n````\n```\n"), ["9:1 SP127 the fence that opens here is not closed | write ```` on a line of its own below it"]),
    "an escape that is none": (change("### Create `a`\n```py escaped\nx\n \\q\n```\n"), [
        "11:2 SP128 `\\q` is not an escape | write one of \\n \\r \\t \\0 \\\\ \\\" \\' \\a \\b \\f \\v \\xHH \\uHHHH \\UHHHHHHHH"]),
    "escapes that make no UTF-8": (change("### Create `a`\n```escaped\nx\n\\xff\n```\n"), [
        "11:1 SP128 the escapes of this fence make bytes that are not UTF-8 | write characters as \\uHHHH"]),
    "a patch that is none": (change("### Patch\n```diff\n--- a/x\n```\n"), [
        "10:1 SP129 this line is not `diff --git a/… b/…` | paste what `git diff` prints, unchanged"]),
    "a binary patch": (change("### Patch\n```diff\ndiff --git a/x b/x\nindex 1..2 100644\nBinary files a/x and b/x differ\n```\n"), [
        "12:1 SP308 a binary patch | move or delete binary files; their content can't be written in a spec"]),
    "an empty before": (change(EDIT.replace("x\n", "")), [
        "10:1 SP130 `Before` is empty | repeat a line as an anchor, in both; or use `Replace`"]),
    "after as before": (change(EDIT.replace("y", "x")), [
        "14:1 SP131 `After` is the same as `Before` | write what shall be there instead, or take the pair away"]),
    "an Instruct that says nothing": (change("### Instruct `a`\n"), [
        "8:1 SP132 `Instruct` says nothing | write what to do, and how a reader will know that it is right"]),
    "accept that is no list": ("---\ntitle: x\naccept: make\n---\n" + BODY, ["3:9 SP111 `accept` is text, not a list | write a list"]),
    "an entry that is no mapping": (one_accept("make test"), [
        "4:5 SP111 `accept[1]` is not a mapping | write one of `run`, `exists`, `missing`, `contains`, `lacks`, `blob`, such as `- run: make test`"]),
    "nothing to prove": ("---\ntitle: x\naccept: []\n---\n" + BODY, [
        "3:9 SP501 there is no criterion | add one that is red on the base and green on the result"]),
    "guards only": (one_accept("{run: make, guard: true}"), [
        "4:3 SP501 every criterion is a guard | add one that is red on the base and green on the result"]),
    "two kinds": (one_accept("{run: make, exists: a}"), [f"4:5 SP503 `accept[1]` holds `run` and `exists` | {ONE_OF}"]),
    "no kind": (one_accept("guard: true"), [f"4:5 SP503 `accept[1]` says nothing to look for | {ONE_OF}"]),
    "a guard of yes": (one_accept("{run: make, guard: yes}"), [
        "4:24 SP108 `accept[1].guard`: `yes` is true or false to some readers only | write `true` or `false`"]),
    "an exit out of range": (one_accept("{run: make, red: {exit: 127}}"), [
        "4:29 SP112 `accept[1].red.exit` is 127 | write a number from 1 to 125"]),
    "red on a path": (one_accept("{exists: make, red: {exit: 1}}"), ["4:25 SP503 `red` goes with `run` only | take it away"]),
    "a command that is true": (one_accept("run: true"), [f"4:10 SP502 `true` always passes | {RED}"]),
    "a command that is empty": (one_accept("run: ''"), [f"4:10 SP502 an empty command always passes | {RED}"]),
    "a command that can't fail": (one_accept("run: make test || true"), [f"4:10 SP502 `make test || true` always passes | {RED}"]),
    "an open quote": (one_accept('run: echo "a'), [
        "4:10 SP503 a shell can't read this command: a double quote is never closed | mend it; in YAML, a `|` block needs no quoting"]),
    "a bad regex": (one_accept("lacks: {in: a, regex: 'x(y'}"), [
        "4:27 SP503 `x(y` is not a regular expression: missing ), unterminated subpattern at character 2 | mend it, in Python's syntax"]),
    "a regex for everything": (one_accept("contains: {in: a, regex: 'x*'}"), [
        "4:30 SP502 `x*` matches every text | make it match what the change makes, and nothing else"]),
    "a line that only YAML ends": ("---\ntitle: x\n# y \u2028status: ready\n---\n" + BODY, [
        "3:1 SP105 the front matter holds U+2028 LINE SEPARATOR, where a line ends for YAML and for no reader | end the line there, or take it away",
        "3:5 SP413 the front matter holds an invisible character, U+2028 LINE SEPARATOR | take it away"]),
    "a command that is turned round": (one_accept("run: test -e a # \u202ex"), [
        "4:22 SP413 the front matter holds an invisible character, U+202E RIGHT-TO-LEFT OVERRIDE | take it away"]),
    "text and regex": (one_accept("contains: {in: a, text: b, regex: c}"), [
        "4:15 SP503 `contains` takes either `text` or `regex` | write exactly one of them"]),
    "a number for a mode": (one_accept(f"blob: {{path: a, id: '{'a' * 40}', mode: 100644}}"), [
        '4:75 SP108 `accept[1].blob.mode`: YAML reads `100644` as a number | quote it: "100644"']),
    "a short id": (one_accept("blob: {path: a, id: abc}"), [
        "4:25 SP112 this is not the id of a blob | write all 40 digits of `git hash-object FILE`"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD.keys())
def test_a_bad_spec_is_told_by_line(text: str | bytes, expected: list[str]) -> None:
    assert said(parse_spec(text if isinstance(text, bytes) else text.encode(), "specs/x.md")) == expected


GOOD = {
    "carriage returns are line ends": (HEAD + change(EDIT).removeprefix(HEAD)).replace("\n", "\r\n"),
    "quoted traps": key('needs: ["1e3"]\nimplementer: "NO"'),
    "a comment hides a section": change(f"{EDIT}<!--\n### Delete `b`\n```\n```\n-->\n"),
    "text that looks like front matter": change("### Create `a`\n```\n---\ntitle: x\n---\n```\n"),
    "text that looks like a conflict": change("### Create `a`\n```\n<<<<<<< HEAD\n=======\n>>>>>>> b\n```\n"),
    "sections in a fence": change("### Create `a`\n````\n## Changes\n### Delete `b`\n```\n````\n"),
    "a fence in an Instruct's list": change("### Instruct `a`\n- x\n  ```\n  y\n  ```\n"),
    "labels in other cases are prose": change("before: it was so\n" + EDIT),
    "a quoted text of blanks": one_accept("contains: {in: a, text: '  '}"),
    "a block of commands": one_accept('run: |\n      for i in a; do\n        test "$i" # don\'t\n      done'),
    "verbs among the words": HEAD + "## Why\nx\n### Edits\n" + BODY,
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_a_good_twin_has_no_problem(text: str) -> None:
    parsed = parse_spec(text.encode(), "specs/x.md")
    assert said(parsed) == []
    assert parsed.spec is not None
    assert parsed.spec.changes


def test_line_ends_change_the_digest_and_nothing_else() -> None:
    unix, dos = (parse_spec(t.encode(), "specs/x.md").spec for t in (change(EDIT), change(EDIT).replace("\n", "\r\n")))
    assert unix is not None
    assert dos is not None
    assert unix._replace(data=b"") == dos._replace(data=b"")
    assert unix.digest != dos.digest


def test_one_bad_thing_does_not_hide_the_others() -> None:
    text = "---\ntitle: NO\nstatus: [\n---\n## Changes\n### Edti `a`\n### Edit `a`\nOld:\n```\n"
    assert [p.code for p in parse_spec(text.encode(), "specs/x.md").problems] == ["SP105", "SP121", "SP123", "SP127"]


IDS = {"../../etc/x": False, "a/b": False, "-rf": False, ".git": False, "CON": False, "x.lock": False, "a..b": False, "@{": False,
       "x" * 300: False, "": False, "caf\u00e9": False, "cafe\u0301": False, "a\n": False, "x" * 64: False, "x" * 63: True, "0": True,
       "a-b-1": True}  # fmt: skip


@pytest.mark.parametrize(("stem", "ok"), IDS.items(), ids=[ascii(i)[:20] for i in IDS])
def test_ids(stem: str, ok: bool) -> None:
    assert (id_fault(stem) is None) == ok
    if "/" not in stem:
        parsed = parse_spec((HEAD + BODY).encode(), f"specs/{stem}.md")
        assert (parsed.spec is not None) == ok
        assert [p.code for p in parsed.problems] == ([] if ok else ["SP113"])


PIECES = st.sampled_from(
    [HEAD, "---\n", "## Changes\n", "### Edit `a`\n", "Before:\n", "After:\n", "```\n", "```escaped\n", "\\x", "\\", "### Patch\n", "### Move `a` to `b`\n",
     "diff --git a/a b/a\n", "--- a/a\n", "+++ b/a\n", "@@ -1 +1 @@\n", "-x\n", "+y\n", 'rename from "\n', "accept:\n", "  - run: '\n", "limits: {", "&a ", "*a",
     "!x ", "? ", ": ", "[", "{", "\ufeff", "\u2028", "\x85", "\t", "\r\n", "%YAML 9\n", "...\n", "\U0001f600", "`", "[a]: b\n", "<!--\n", "- ", "> "]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join).map(str.encode) | st.binary(max_size=60))
def test_nothing_makes_it_raise(data: bytes) -> None:
    parsed = parse_spec(data, "specs/x.md")
    lines = data.count(b"\n") + 2
    assert all(
        p.code in CODES and 1 <= p.line <= lines and p.column >= 1 and p.path == "specs/x.md" for p in parsed.problems
    )
    assert "\n" not in "".join(p.message + p.fix for p in parsed.problems)


@pytest.mark.parametrize("regex", ["(?:(?:(?:a?){9999}){9999}){9999}", "(?:a?|b?)" * 60, "(?:(?:){9999}){9999}"])
def test_no_regular_expression_takes_ages_to_read(regex: str) -> None:
    with promptly():
        assert said(parse_spec(one_accept(f"contains: {{in: a, regex: '{regex}'}}").encode(), "specs/x.md")) == []
