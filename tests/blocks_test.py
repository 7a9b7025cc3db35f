"""The block scanner against a CommonMark library, on nasty generated documents and on a corpus of real kinds of trouble."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from split_ci.blocks import scan

LIBRARY = MarkdownIt("commonmark")

ATOMS = [
    "# h", "### Edit `a`", "#", "##", "####### x", "#x", "# #", "## x ##", "\\#", "  text  #", "===", "==", "=", "---", "--", "-",
    "- ", "* ", "+ ", "1. ", "1) ", "2. ", "10. ", "1.", "-   x", "-     x", "-\t", "-\tx", "> ", ">", ">\t",
    "```", "````", "~~~", "~~~~", "``` py", "~~~ a`b", "``` a`b", "``` x escaped", "***", "* * *", "_ _ _",
    "<!--", "-->", "<div>", "</div>", "<x-y>", "<a href='x'>", "<script>", "</script>", "<pre>", "<?", "?>", "<![CDATA[", "]]>",
    "<!A", ">", "<p>", "<p/>", "text", "Before:", "a", "x\\", "&nbsp;", "[b]", "  ", "    ", " ", "\t", "\t\t",
]  # fmt: skip
DEFINITIONS = [
    "[a]: b", "[a]: <b> 'x'", "[a]:\nb", "[a]: b\n'x\ny'", '[a]: b "x" y', "[a]: b\n(x)", "[a]: <>", "[]: b", "[a\\]]: b", "[a]: b(c",
    "[a]: b(c)", "[ ]: b", "[a] : b", "[a]:", "[a]: b 'x'", "[a]: b'x'",
]  # fmt: skip


def flat(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().split("\n"))


def content(text: str, depth: int) -> str:
    """A fence's content; in containers the library keeps tabs that CommonMark splits, and an open end it leaves off."""
    lines = text.rstrip().split("\n")
    return "\n".join(line.lstrip() if depth else line for line in lines)


def by_library(text: str) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    depth = 0
    tokens = LIBRARY.parse(text)
    for number, token in enumerate(tokens):
        if token.type in ("blockquote_open", "list_item_open"):
            depth += 1
        elif token.type in ("blockquote_close", "list_item_close"):
            depth -= 1
        line = (token.map or [0])[0] + 1
        if token.type == "heading_open":
            found.append(("heading", line, depth, int(token.tag[1]), flat(tokens[number + 1].content)))
        elif token.type == "fence":
            found.append(("fence", line, depth, token.markup, token.info.strip(), content(token.content, depth)))
        elif token.type == "paragraph_open":
            found.append(("paragraph", line, depth, flat(tokens[number + 1].content)))
    return found


def by_scanner(text: str) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for block in scan(text):
        if block.kind == "heading":
            found.append(("heading", block.line, block.depth, block.level, flat(block.text)))
        elif block.kind == "fence":
            found.append(
                ("fence", block.line, block.depth, block.mark, block.info.strip(), content(block.text, block.depth))
            )
        else:
            found.append(("paragraph", block.line, block.depth, flat(block.text)))
    return found


def library_is_wrong(text: str) -> bool:
    """Where markdown-it differs from CommonMark's own reference: what is indented by four columns or more, and by less than
    the item or quotation above needs, is lazy text; the library lets marks there end the paragraph. `REFERENCE` has these.
    """
    lines = text.split("\n")
    return any(above.strip() and re.match(r"[ \t>]*( {4}|\t)[ \t]*[^\w\s]", line) for above, line in pairwise(lines))


@st.composite
def documents(draw: st.DrawFn) -> str:
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 9))):
        kind = draw(st.integers(0, 12))
        if kind == 0:  # definitions stand before an empty line: what follows one directly, the library reads afresh
            lines += [*draw(st.sampled_from(DEFINITIONS)).split("\n"), ""]
        elif kind < 3:
            lines.append("")
        else:
            lines.append("".join(draw(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=4))))
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


@settings(max_examples=600, deadline=None)
@given(documents())
def test_generated_documents_are_read_as_the_library_reads_them(text: str) -> None:
    assume(not library_is_wrong(text))
    assert by_scanner(text) == by_library(text)


CORPUS = {
    "a comment hides a section": "<!--\n### Edit `a`\n\n```\nx\n```\n-->\n\n### Delete `b`\n",
    "a comment on one line": "<!-- x -->\n### Delete `b`\n",
    "details": "<details>\n<summary>x</summary>\n\n### Edit `a`\n\n```\nx\n```\n</details>\n### not one\n\n### one\n",
    "an open tag swallows what follows": "<div>\n### Edit `a`\n```\nx\n```\n\n### Edit `b`\n",
    "a fence holds fences": "````md\n```\n### no\n```\n````\n### yes\n",
    "tildes hold backticks": "~~~\n```\n~~~\n### yes\n",
    "a closing run may be longer": "```\nx\n`````\n### yes\n",
    "a closing run may not be shorter": "`````\nx\n```\n### no\n",
    "a closing run has no info": "```\nx\n``` py\n### no\n```\n",
    "an indented fence": "   ```\n   x\n     y\n z\n  ```\n### yes\n",
    "four blanks are code": "    ```\n### yes\n",
    "a tab is code": "\t### no\n",
    "four blanks go on a paragraph": "text\n    ### no\n",
    "backticks in an info": "``` a`b\n### yes\n",
    "a fence in a list": "- item\n\n  ```\n  x\n  ```\n### yes\n",
    "a fence that a list ends": "- ```\n  x\n### yes\n",
    "a heading in a list": "- ### no\n1. ### no\n",
    "a heading in a quotation": "> ### no\n> text\n### yes\n",
    "a lazy line": "> text\nstill quoted\n### yes\n",
    "a lazy underline is text": "> text\n===\n",
    "a lazy fence is none": "> ```\n### yes\n```\n",
    "underlined headings": "Why\n---\n\nTwo\nlines\n===\n",
    "underlined, with a definition above": "[a]: b\n\nWhy\n---\n",
    "only definitions can't be underlined": "[a]: b\n===\n",
    "front matter's mark is a rule": "---\n\n---\n",
    "seven marks": "####### no\n",
    "closing marks": "### Edit `a` ###\n### Edit `a`###\n### \\###\n",
    "empty headings": "#\n## \n### ###\n",
    "a number that can't interrupt": "text\n2. ### no\n1. ### in a list\n",
    "an empty item can't interrupt": "text\n-\n*\n",
    "an item that starts empty": "-\n  ### no\n-\n\n  ### yes\n",
    "items that lie deep": "1. a\n   - b\n     > ### no\n\n     ```\n     x\n     ```\n",
    "a tab after a marker": "-\t### no\n\n\t```\n\tx\n\t```\n",
    "an indented item is code after its marker": "-     ### no\n",
    "script": "<script>\n### no\n\n### no\n</script>\n### yes\n",
    "processing instruction": "<?php\n\n### no\n?>\n### yes\n",
    "declaration": "<!DOCTYPE\n\n### no\n>\n### yes\n",
    "cdata": "<![CDATA[\n\n### no\n]]>\n### yes\n",
    "a tag of one's own": "<x-y a='b'>\n### no\n\n### yes\n",
    "a tag of one's own can't interrupt": "text\n<x-y>\n### yes\n",
    "no end": "```\nx\n",
    "no end, and no line end": "```",
    "nothing": "",
    "blanks only": "  \n\t\n",
    "a long run": "`" * 300 + "\n```\n" + "`" * 300 + "\n### yes\n",
    "a deep nest": "> " * 8 + "### no\n" + "- " * 6 + "### no\n",
}  # fmt: skip


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS.keys())
def test_the_corpus_is_read_as_the_library_reads_it(text: str) -> None:
    assert by_scanner(text) == by_library(text)


# Where the library leaves CommonMark's own reference, which GitHub follows, the reference counts.
REFERENCE = {
    "after a definition a paragraph goes on": ("[a]: b\n    ### text\n", [("paragraph", 2, 0, "### text")]),
    "after a definition a tag of one's own is text": (
        "[a]: b\n<x-y>\n### yes\n",
        [("paragraph", 2, 0, "<x-y>"), ("heading", 3, 0, 3, "yes")],
    ),
    "after a definition only a first item interrupts": ("[a]: b\n2. ### no\n", [("paragraph", 2, 0, "2. ### no")]),
    "a mark indented by four is lazy text": ("1.   a\n    # b\n", [("paragraph", 1, 1, "a\n# b")]),
    "a mark indented by four goes on no quotation": ("> a\n    > ### b\n", [("paragraph", 1, 1, "a\n> ### b")]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "blocks"), REFERENCE.values(), ids=REFERENCE.keys())
def test_the_reference_counts_where_the_library_leaves_it(text: str, blocks: list[tuple[object, ...]]) -> None:
    assert by_scanner(text) == blocks


def test_blocks_say_where_they_are() -> None:
    heading, paragraph, fence, last = scan("\n# a\ntext\nmore\n```x y\n 1\n```\n~~~\n", 11)
    assert (heading.line, heading.end) == (12, 12)
    assert (paragraph.line, paragraph.end, paragraph.text) == (13, 14, "text\nmore")
    assert (fence.line, fence.end, fence.text, fence.info, fence.closed) == (15, 17, " 1\n", "x y", True)
    assert (last.line, last.end, last.text, last.closed) == (18, 18, "", False)
