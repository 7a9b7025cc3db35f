from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from split_ci import covers

if TYPE_CHECKING:
    from pathlib import Path


def test_what_only_its_owner_may_do_is_covered(tmp_path: Path) -> None:
    for name, mode in (("free", 0o444), ("secret", 0o400), ("trigger", 0o200), ("settings", 0o644), ("17", 0o600)):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(mode)
    for name, mode in (("sys/kernel/name", 0o644), ("fs/list", 0o444), ("sysvipc/own", 0o600)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(mode)
    (tmp_path / "self").symlink_to("17")
    assert covers.owned(str(tmp_path)) == [
        ["ro", "/dev/null", f"{tmp_path}/secret"],
        ["ro", "/dev/null", f"{tmp_path}/settings"],
        ["ro", f"{tmp_path}/sys", f"{tmp_path}/sys"],
        ["ro", "/dev/null", f"{tmp_path}/trigger"],
    ]


def test_the_machines_settings_are_among_it() -> None:
    if os.getuid() != 0:
        assert covers.hidden_in_proc() == []
        pytest.skip("only root could change them")
    assert ["ro", "/proc/sys", "/proc/sys"] in covers.hidden_in_proc()
