"""A tree in memory. A `ports.Tree`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.ports import Entry, File

if TYPE_CHECKING:
    from collections.abc import Mapping


class MemoryTree:
    """Files by path: text, bytes, or `File`s for other modes. Folders are there because files are."""

    def __init__(self, files: Mapping[str, str | bytes | File]) -> None:
        self.files = {path: _file(content) for path, content in files.items()}

    def entry(self, path: str) -> Entry | None:
        if path in self.files:
            return Entry(self.files[path].mode, "0" * 40)
        return Entry("040000", "") if self.names(path) else None

    def names(self, folder: str) -> list[str]:
        prefix = folder + "/" if folder else ""
        return list(dict.fromkeys(p[len(prefix) :].split("/")[0] for p in self.files if p.startswith(prefix)))

    def read(self, path: str) -> File | None:
        file = self.files.get(path)
        return None if file is None or file.mode == "160000" else file

    def paths(self) -> Mapping[str, Entry]:
        return {path: Entry(file.mode, "0" * 40) for path, file in self.files.items()}


def _file(content: str | bytes | File) -> File:
    if isinstance(content, File):
        return content
    return File(content.encode() if isinstance(content, str) else content)
