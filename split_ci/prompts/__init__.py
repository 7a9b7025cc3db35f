"""What models are told that is always the same, as Markdown files."""

from __future__ import annotations

import os


def read_prompt(name: str) -> str:
    """The text of `prompts/<name>.md`."""
    with open(os.path.join(os.path.dirname(__file__), f"{name}.md"), encoding="utf-8") as file:
        return file.read()
