"""What has no place in a lesson, and what a `forbid` may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from split_ci.invisible import invisibles, name
from split_ci.regex_cost import MANY, parsed, parts, ways

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FORBID = 200
MAX_UNBOUNDED = 2
MOST_WAYS = (100_000, 1_000, 32)  # that a place in a line may be read in, by the number of open repeats

_I = re.IGNORECASE
_TESTS = (
    r"(?:tests?|checks?|criteri(?:a|on)|guards?|hooks?|reviews?|lint(?:er|ers|ing)?|asserts?|assertions?|verification|ci)"
)
_AROUND = r"(?:skip|disable|ignore|bypass|delete|remove|weaken|silence|comment out|turn off|leave out)"

FAULTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("holds a link", re.compile(r"\b[a-z][a-z0-9+.-]*://|\bwww\.\w|\b(?:javascript|data|mailto|vbscript):\S", _I)),
    (
        "holds a command to run",
        re.compile(
            r"\b(?:curl|wget|sudo|ssh|scp|netcat|powershell|iwr|chmod|chown|eval|exec)\s+[-\w./~$\"'`]|\|\s*(?:ba|z|da|k)?sh\b"
            r"|\b(?:ba|z|da|k)?sh\s+-c\b|\brm\s+-\w|\$\(|&&"
            r"|\b(?:pipx?|uv|npm|npx|yarn|pnpm|cargo|go|gem|brew|apt|apt-get|dnf|apk)\s+(?:install|add|get|run|exec|i|x)\b"
            r"|\bgit\s+(?:push|config|reset|checkout|clean|commit|rebase|merge|remote|clone)\b|\bpython[0-9.]*\s+-[mc]\b",
            _I,
        ),
    ),
    (
        "closes or opens a block",
        re.compile(r"<[/!?a-z]|```|~~~|^\s*(?:---|\.\.\.|===)\s*$|^\s*#{1,6}\s|\[/?INST|<\|", _I | re.MULTILINE),
    ),
    (
        "tells the reader to leave tests, checks or reviews aside",
        re.compile(
            rf"(?<!never )(?<!not )(?<!n't )\b{_AROUND}\w*\b[^.;:!?]{{0,40}}\b{_TESTS}\b"
            rf"|\b(?:never|not|n't)\s+(?:\w+\s+)?run\b[^.;:!?]{{0,30}}\b{_TESTS}\b|--no-verify|\bxfail\b"
            r"|\balways (?:approve|pass|accept)\b|\b(?:approve|merge) (?:every|any|all)\b|\bforce[- ]push",
            _I,
        ),
    ),
    (
        "speaks to the model about its orders",
        re.compile(
            r"\b(?:ignore|disregard|forget|override)\b[^.]{0,30}\b(?:instructions?|prompts?|rules|lessons|above|previous|prior|earlier)\b"
            r"|\bsystem prompt\b|\byou are now\b|^\s*(?:system|assistant|user|human)\s*:",
            _I | re.MULTILINE,
        ),
    ),
)

SECRET = re.compile(
    r"-----BEGIN|\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}|\bglpat-\S{16,}|\bsk-[\w-]{16,}"
    r"|\bxox[abeprs]-\S{8,}|\bAIza[\w-]{20,}|\beyJ[\w-]{10,}\.[\w-]{5,}|\b(?:api[_-]?key|secret|password|passwd|token)\s*[=:]\s*\S{6,}",
    re.IGNORECASE,
)
TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{32,}")


def text_faults(text: str) -> Iterator[str]:
    """Why a lesson's text has no place in a brief, one short phrase each."""
    hidden = next(invisibles(text), None)
    if hidden:
        yield f"holds {name(hidden[1])}, which a reader can't see"
    for why, pattern in FAULTS:
        found = pattern.search(text)
        if found:
            yield f"{why}: {' '.join(found[0].split())[:40]!r}"
    if SECRET.search(text) or any(_looks_random(t[0]) for t in TOKEN.finditer(text)):
        yield "holds something that looks like a secret"


def _looks_random(token: str) -> bool:
    kinds = sum(any(test(c) for c in token) for test in (str.isdigit, str.isupper, str.islower))
    return kinds == 3 and len(set(token)) >= 12


def forbid_fault(pattern: str) -> str | None:
    """Why a regex can't be a `forbid`; None where it can. What may take ages on some line is refused."""
    if not pattern:
        return "is empty"
    if len(pattern) > MAX_FORBID:
        return f"is longer than {MAX_FORBID} characters"
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is not a regular expression of Python: {error}"
    too_much = _costs(pattern)
    return too_much or ("matches an empty line" if compiled.search("") else None)


def _costs(pattern: str) -> str | None:
    unbounded = 0
    for op, argument, times in _walk(parsed(pattern), 1):
        if op in ("GROUPREF", "GROUPREF_EXISTS", "ASSERT", "ASSERT_NOT"):
            return "looks around or back, which may take ages"
        if op == "BRANCH" and times > 1:
            return "repeats a choice, which may take ages"
        if op.endswith("_REPEAT"):
            low, high = int(argument[0]), int(argument[1])
            if high > 1 and times > 1 and times * high > MANY:
                return "repeats a repeat, which may take ages"
            if low != high and times > MANY:
                return "repeats a choice, which may take ages"
            unbounded += high > MANY
    if unbounded > MAX_UNBOUNDED:
        return f"has more than {MAX_UNBOUNDED} open repeats"
    most = MOST_WAYS[unbounded]
    return "leaves too many choices, which may take ages" if ways(pattern, most) > most else None


def _walk(whole: Any, times: int) -> Iterator[tuple[str, Any, int]]:  # noqa: ANN401
    """(operation, its argument, how often what it stands in is repeated) of everything in a parsed regex."""
    for op, argument in whole:
        yield str(op), argument, times
        again = times * max(1, int(argument[1])) if str(op).endswith("_REPEAT") else times
        for part in parts(argument):
            yield from _walk(part, again)
