"""A bug's log: what was typed and the traceback, in a file that the person can send."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback


def write_log(argv: list[str]) -> str:
    """Writes the current exception to a new file and says where it is. Never raises."""
    text = f"split-ci {' '.join(argv)}\nPython {sys.version}\n\n{traceback.format_exc()}"
    try:
        handle, path = tempfile.mkstemp(prefix="split-ci-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return text
    return f"please report it with {path}"
