"""An artifact as a zip in memory: some JSON files, side by side. Nothing is unpacked to a disk, and nothing is believed."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib

from split_ci.errors import Refused

MAX_FILES = 64
MAX_BYTES = 256 * 1024 * 1024  # of all files together
SYSTEM_UNIX = 3


def read_parcel(data: bytes, what: str) -> dict[str, str]:
    """Name -> text of each file. Raises Refused for what is no zip of plain JSON files, or too large once it is read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not _is_folder(entry)]
            if len(entries) > MAX_FILES:
                raise Refused(f"{what}: {len(entries)} files: at most {MAX_FILES}")
            found: dict[str, str] = {}
            left = MAX_BYTES
            for entry in entries:
                text = _read(archive, entry, left, what)
                if entry.filename in found:
                    raise Refused(f"{what}: {entry.filename[:80]!r} is there twice")
                found[entry.filename] = text
                left -= len(text)
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise Refused(f"{what}: not a zip that can be read: {type(error).__name__}") from None


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.endswith("/") and entry.file_size == 0


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int, what: str) -> str:
    name = entry.filename
    if "/" in name or "\\" in name or "\0" in name or not name.endswith(".json"):
        raise Refused(f"{what}: {name[:80]!r} is not the name of a JSON file")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.create_system == SYSTEM_UNIX and kind not in (0, stat.S_IFREG):
        raise Refused(f"{what}: {name[:80]!r} is not a plain file")
    if entry.file_size > left:
        raise Refused(f"{what}: more than {MAX_BYTES} bytes")
    with archive.open(entry) as file:
        data = file.read(left + 1)
    if len(data) > left or len(data) != entry.file_size:
        raise Refused(f"{what}: {name[:80]!r} is not as large as it says")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"{what}: {name[:80]!r}: not UTF-8 at byte {error.start}") from None
