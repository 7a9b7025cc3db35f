"""The wheel as people install it: every data file in it, no model SDK asked for, and the commands run from it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from split_ci import __version__
from split_ci.git import clean_env
from tests.builders import PERSON, make_repo

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = Path(__file__).resolve().parent.parent
NOT_INSTALLED = ("openai", "anthropic", "githubkit", "markdown_it", "jsonschema", "hypothesis", "pytest", "coverage")
RUN = f"import sys\nsys.modules.update(dict.fromkeys({NOT_INSTALLED}))\nfrom split_ci.main import main\nsys.exit(main())\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=SOURCE,
        check=True,
        capture_output=True,
    )
    (found,) = out.iterdir()
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked, as pip does it for a pure package."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, cwd: Path, *args: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command of the wheel's own code, where no extra is installed."""
    return subprocess.run(
        [sys.executable, "-P", "-c", RUN, *args],
        cwd=cwd,
        env=clean_env({**PERSON, "PYTHONPATH": str(installed), "NO_COLOR": "1", **(env or {})}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("split_ci/")}
    here = {str(path.relative_to(SOURCE)) for path in (SOURCE / "split_ci").rglob("*") if path.is_file()}
    assert {name for name in here if "__pycache__" not in name} == held


def test_what_commands_read_is_among_them(installed: Path) -> None:
    package = installed / "split_ci"
    names = [
        "problems.md",
        "templates/TEMPLATE.md",
        "templates/config.yaml",
        "schemas/config.schema.json",
        "schemas/frontmatter.schema.json",
    ]
    assert [name for name in names if not (package / name).is_file()] == []
    assert len(list((package / "demo/specs").glob("*.md"))) == 14


def test_the_core_asks_for_no_sdk(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        metadata = Parser().parsestr(archive.read(name).decode())
    core = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert sorted(each.partition(">")[0] for each in core) == ["gitpython", "pyyaml", "rich"]
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"


def test_it_runs_without_them(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"split-ci {__version__}\n")


def test_init_and_explain_find_their_files(installed: Path, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    assert run(installed, repo, "init").returncode == 0
    assert run(installed, repo, "explain", "SP302").returncode == 0
    assert run(installed, repo, "check").returncode == 0


def test_the_demo_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "demo", "--dir", str(tmp_path / "evening"), "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(json.loads(done.stdout)["specs"]) == 14
