"""Session files: what each shape of line comes to, and that a bad one is only a bad one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from split_ci.ports import Usage
from split_ci.transcript import Broken, Call, Transcripts, kind_of, patched

USAGE = {"input_tokens": 4, "cache_creation_input_tokens": 96, "cache_read_input_tokens": 900, "output_tokens": 50}
EDIT = {
    "type": "tool_use",
    "id": "t1",
    "name": "Edit",
    "input": {"file_path": "a.py", "old_string": "12345", "new_string": "12345"},
}
READ = {"type": "tool_use", "id": "t2", "name": "Read", "input": {"file_path": "12345"}}


def claude(name: str, *content: object, usage: object = USAGE, model: object = "opus") -> dict[str, Any]:
    return {"type": "assistant", "message": {"id": name, "model": model, "content": list(content), "usage": usage}}


def codex(kind: str, **payload: object) -> dict[str, Any]:
    return {"type": kind, "payload": payload}


def sums(tokens: int, cached: int, output: int) -> dict[str, Any]:
    total = {"input_tokens": tokens, "cached_input_tokens": cached, "output_tokens": output}
    return codex("event_msg", type="token_count", info={"total_token_usage": total})


def calls(*lines: object) -> list[Call]:
    reader = Transcripts()
    found = list(reader.start())
    for line in lines:
        found += reader.line(json.dumps(line).encode())
    return found + list(reader.end())


def test_a_message_told_over_several_lines_is_one_call() -> None:
    first = claude("m", {"type": "text", "text": "1234567890"}, usage={**USAGE, "output_tokens": 2})
    [call] = calls(first, claude("m", EDIT), {"type": "user"}, claude("m", EDIT))
    assert call.usage == Usage(1, 1000, 900, 50, None)
    assert call.written == {"thinking": 10, "typing": 14}
    assert (call.files, call.edits) == (("a.py",), 1)
    assert call.share("typing") == 14 / 24


def test_a_session_that_is_continued_elsewhere_is_told_once() -> None:
    reader = Transcripts()
    line = json.dumps(claude("m", EDIT)).encode()
    found = [*reader.start(), *reader.line(line), *reader.start(), *reader.line(line), *reader.end()]
    assert len(found) == 1


def test_messages_that_stay_open_are_bounded() -> None:
    reader = Transcripts()
    closed = [call for n in range(1000) for call in reader.line(json.dumps(claude(str(n), READ)).encode())]
    assert len(closed) == 1000 - 64
    assert len(closed) + len(list(reader.end())) == 1000


def test_what_the_agent_wrote_itself_is_no_call() -> None:
    assert (
        calls(claude("m", model="<synthetic>"), {"type": "summary"}, {"type": "user", "message": {"content": "hello"}}) == []
    )


def test_a_silent_call_was_thinking() -> None:
    [call] = calls(claude("m"))
    assert (call.share("thinking"), call.share("typing")) == (1.0, 0.0)


def test_a_rollout_s_sums_become_calls() -> None:
    patch = "*** Begin Patch\n*** Update File: src/a.py\n@@\n-1\n+2\n*** Add File: b\n*** End Patch"
    one, two = calls(
        codex("session_meta", id="x"),
        codex("turn_context", model="gpt"),
        codex("response_item", type="reasoning", summary=[{"text": "hm"}], encrypted_content="zzzz"),
        codex("response_item", type="custom_tool_call", name="apply_patch", input=patch),
        sums(100, 40, 10),
        sums(100, 40, 10),
        codex("response_item", type="function_call", name="shell", arguments='{"command":["ls"]}'),
        codex("response_item", type="function_call_output", output="a very long answer"),
        sums(300, 140, 15),
        codex("event_msg", type="token_count", info=None),
    )
    assert (one.model, one.usage, one.files, one.edits) == ("gpt", Usage(1, 100, 40, 10, None), ("src/a.py", "b"), 1)
    assert one.written == {"thinking": 2, "typing": len(patch)}
    assert (two.usage, two.written) == (Usage(1, 200, 100, 5, None), {"running": 18})


def test_a_session_that_counts_anew() -> None:
    assert [call.usage.input for call in calls(sums(500, 0, 5), sums(20, 0, 1))] == [500, 20]


@pytest.mark.parametrize(
    ("tool", "kind"),
    [
        ("Edit", "typing"), ("Write", "typing"), ("MultiEdit", "typing"), ("apply_patch", "typing"), ("Read", "reading"),
        ("Grep", "reading"), ("TodoWrite", "thinking"), ("Bash", "running"), ("shell", "running"), ("whatever", "running"),
        ("mcp__files__write_file", "typing"),
    ],
)  # fmt: skip
def test_what_a_tool_is_for(tool: str, kind: str) -> None:
    assert kind_of(tool) == kind


def test_a_patch_in_a_command() -> None:
    assert patched(json.dumps({"command": ["apply_patch", "*** Begin Patch\n*** Delete File: a b.py\n*** End Patch"]})) == [
        "a b.py"
    ]


BAD = {
    "not json": b"{",
    "not text": b"\xff\xfe",
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "a number too long to read": b'{"type": ' + b"9" * 5000 + b"}",
    "no id": json.dumps(claude("m") | {"message": {"model": "m", "usage": {}}}).encode(),
    "no usage": json.dumps(claude("m", usage=None)).encode(),
    "a negative count": json.dumps(claude("m", usage={"input_tokens": -1})).encode(),
    "a flag for a count": json.dumps(claude("m", usage={"output_tokens": True})).encode(),
    "more than there can be": json.dumps(claude("m", usage={"output_tokens": 10**12})).encode(),
    "sums that are none": json.dumps(codex("event_msg", type="token_count", info={"total_token_usage": [1]})).encode(),
}


@pytest.mark.parametrize("line", [*BAD.values(), None], ids=[*BAD, "too long"])
def test_a_bad_line_is_broken_and_the_next_is_read(line: bytes | None) -> None:
    reader = Transcripts()
    with pytest.raises(Broken):
        list(reader.line(line))
    assert [call.usage.output for call in (*reader.line(json.dumps(claude("n", EDIT)).encode()), *reader.end())] == [50]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["assistant", "response_item", "event_msg", "turn_context"]), VALUES,
    st.dictionaries(st.sampled_from(["id", "model", "usage", "content", "type", "info", "name", "input", "arguments"]), VALUES),
)  # fmt: skip
def test_no_line_is_more_than_broken(kind: str, content: object, body: dict[str, object]) -> None:
    reader = Transcripts()
    for line in ({"type": kind, "message": {**body, "content": [content]}}, {"type": kind, "payload": body}):
        try:
            list(reader.line(json.dumps(line).encode()))
        except Broken:
            continue
    assert len(list(reader.end())) <= 1
