"""What the architect answers when it designs: every shape that models give a simple answer, and none that is believed."""

from __future__ import annotations

import pytest

from split_ci.design_reply import MAX_PATHS, DesignReply, problems_text, read_reply, with_status
from split_ci.problems import problem
from split_ci.spec import parse_spec

TEXT = "---\ntitle: T\naccept: [{missing: a}]\n---\n\n## Changes\n\n### Create `b`\n```\nx\n```\n"
ROWS = {
    "one file": ("READ src/a.py", DesignReply(("src/a.py",))),
    "several, and words around them": ("I look first:\n\nREAD a\n  READ `b c`\nREAD a\nThanks", DesignReply(("a", "b c"))),
    "nothing to read": ("READ \n", DesignReply()),
    "words alone": ("I would rather not.", DesignReply()),
    "nothing": ("", DesignReply()),
    "a spec": (f"SPEC\n{TEXT}", DesignReply(spec=TEXT)),
    "a spec after words": (f"Here it is.\n\nSPEC\n\n{TEXT}\n\n", DesignReply(spec=TEXT)),
    "a spec without its mark": (TEXT, DesignReply(spec=TEXT)),
    "a spec in a fence": (f"SPEC\n````markdown\n{TEXT}````\n", DesignReply(spec=TEXT)),
    "a spec in tildes": (f"SPEC\n~~~\n{TEXT}~~~", DesignReply(spec=TEXT)),
    "a spec that ends in a fence": (f"SPEC\n{TEXT}", DesignReply(spec=TEXT)),
    "carriage returns": (f"SPEC\n{TEXT}".replace("\n", "\r\n"), DesignReply(spec=TEXT)),
    "a spec that speaks of READ": (f"SPEC\n{TEXT}READ a\n", DesignReply(spec=f"{TEXT}READ a\n")),
}


@pytest.mark.parametrize(("text", "reply"), ROWS.values(), ids=ROWS)
def test_an_answer(text: str, reply: DesignReply) -> None:
    assert read_reply(text) == reply


def test_the_paths_of_one_answer_are_bounded() -> None:
    assert len(read_reply("\n".join(f"READ {n}" for n in range(100))).paths) == MAX_PATHS


@pytest.mark.parametrize("status", ["draft", "ready"])
@pytest.mark.parametrize(
    "text",
    [TEXT, TEXT.replace("title", "status: ready\ntitle"), TEXT.replace("title: T", "title: T\nstatus: draft # not yet")],
)
def test_another_status_and_nothing_else(text: str, status: str) -> None:
    before, after = parse_spec(text.encode(), "specs/a.md"), parse_spec(with_status(text, status).encode(), "specs/a.md")
    assert after.spec is not None
    assert before.spec is not None
    assert after.spec.status == status
    assert (after.spec.title, len(after.problems)) == (before.spec.title, len(before.problems))
    assert text.split("## Changes")[1] in with_status(text, status)


@pytest.mark.parametrize("text", ["", "no front matter", "---\n{title: T, status: ready}\n---\n"])
def test_what_has_no_status_to_change_stays(text: str) -> None:
    assert with_status(text, "draft") == text


def test_problems_are_told_with_their_lines() -> None:
    found = [problem("SP303", "specs/a.md", 2, "`x` is not there", "create it"), problem("SP603", "specs/b.md", 7, "both")]
    told = problems_text(found, "---\ntitle: T\n", "specs/a.md", most=1)
    assert told.splitlines()[1:] == ["- line 2 (title: T): SP303: `x` is not there. Fix: create it", "- and 1 more"]
    assert "- specs/b.md: SP603: both. Fix: see the rules" in problems_text(found, "", "specs/a.md")
