"""M30: an artifact is a zip of some JSON files; whatever else it is, it is refused, and nothing is written anywhere."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from split_ci import parcel
from split_ci.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable


def packed(*files: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def of_mode(mode: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        entry = zipfile.ZipInfo("changeset.json")
        entry.create_system, entry.external_attr = 3, mode << 16
        archive.writestr(entry, b"/etc/passwd")
    return out.getvalue()


def twice() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return packed(("a.json", b"1"), ("a.json", b"2"))


def lying() -> bytes:
    """The file says that it is small, in both of its headers."""
    data = bytearray(packed(("a.json", b"0" * 100_000)))
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(mark) + at
        data[start : start + 4] = struct.pack("<I", 10)
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(packed(("a.json", b"{}")))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    return bytes(data)


def test_files_side_by_side() -> None:
    data = packed(("changeset.json", b'{"a": 1}'), ("results.1.json", "é".encode()))
    assert parcel.read_parcel(data, "it") == {"changeset.json": '{"a": 1}', "results.1.json": "é"}


def test_a_folder_of_its_own_is_no_file() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("out/", b"")
    assert parcel.read_parcel(out.getvalue(), "it") == {}


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "no zip": (lambda: b"<html>", "it: not a zip that can be read: BadZipFile"),
    "nothing": (lambda: b"", "it: not a zip that can be read: BadZipFile"),
    "half a zip": (lambda: packed(("a.json", b"{}"))[:-30], "it: not a zip that can be read: BadZipFile"),
    "up and out": (lambda: packed(("../a.json", b"{}")), "it: '../a.json' is not the name of a JSON file"),
    "from the root": (lambda: packed(("/etc/a.json", b"{}")), "it: '/etc/a.json' is not the name of a JSON file"),
    "a folder's file": (lambda: packed(("out/a.json", b"{}")), "it: 'out/a.json' is not the name of a JSON file"),
    "another way up": (lambda: packed(("..\\a.json", b"{}")), "it: '..\\\\a.json' is not the name of a JSON file"),
    "another kind": (lambda: packed(("a.sh", b"{}")), "it: 'a.sh' is not the name of a JSON file"),
    "a link": (lambda: of_mode(0o120777), "it: 'changeset.json' is not a plain file"),
    "a pipe": (lambda: of_mode(0o010644), "it: 'changeset.json' is not a plain file"),
    "the same name twice": (twice, "it: 'a.json' is there twice"),
    "many files": (lambda: packed(*((f"{n}.json", b"") for n in range(65))), "it: 65 files: at most 64"),
    "not UTF-8": (lambda: packed(("a.json", b"a\xff")), "it: 'a.json': not UTF-8 at byte 1"),
    "larger than it says": (lying, "it: "),
    "with a password": (encrypted, "it: not a zip that can be read: RuntimeError"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str) -> None:
    make, message = BAD[name]
    with pytest.raises(Refused) as caught:
        parcel.read_parcel(make(), "it")
    assert caught.value.message.startswith(message)


def test_much_from_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 MB out of 200 kB: it is refused before it is unpacked, by one file's size or by that of all."""
    monkeypatch.setattr(parcel, "MAX_BYTES", 1_000_000)
    for sizes in ([1_000_001], [600_000, 600_000]):
        data = packed(*((f"{n}.json", b"0" * size) for n, size in enumerate(sizes)))
        assert len(data) < 5_000
        with pytest.raises(Refused, match="it: more than 1000000 bytes"):
            parcel.read_parcel(data, "it")
