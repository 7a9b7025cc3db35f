"""init: the configuration, the specs' folder, the hook and the workflows, put into a repository. What is there stays."""

from __future__ import annotations

import os
import stat
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, NamedTuple

from split_ci.coaching import default_branch
from split_ci.config import FILE, find_config
from split_ci.errors import Refused, UsageError
from split_ci.hook_entry import PRE_COMMIT, has_entry, hooks_path, with_entry
from split_ci.provenance import find_or_none, given
from split_ci.workflows import SOURCE, Setting, marked, ours, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.config import Config
    from split_ci.git import Repo

Hook = Literal["pre-commit", "git", "none"]
Action = Literal["created", "changed", "unchanged", "left"]
SOURCE_HINT = "split-ci init --source git+https://HOST/OWNER/REPOSITORY@COMMIT"
WRITTEN = "being-written.split-ci"  # a file on its way to its name; one left by a kill is written over


class Put(NamedTuple):
    """What became of one file. `left`: it is there with other content, which `note` says what to do about."""

    path: str
    action: Action
    note: str = ""


class Plan(NamedTuple):
    """One file to be: `text` where it should be new, `was` the text that it replaces."""

    put: Put
    text: str = ""
    executable: bool = False
    was: str | None = None


class Keys(NamedTuple):
    """The environment variables, and so the secrets, that hold the keys of models."""

    implementer: Sequence[str] = ()
    architect: Sequence[str] = ()


def init(
    repo: Repo, hook: Hook = "pre-commit", *, keys: Keys | None = None, source: str = "", dry_run: bool = False
) -> tuple[Put, ...]:
    """Puts what is missing into the work tree; no workflows where `keys` is None. `source` is where they take split-ci from.

    Raises UsageError without a work tree, Refused where something is in the way.
    """
    if repo.bare:
        raise UsageError("a bare repository has no work tree to put files into", hint="run it in a clone")
    plans = [*_files(repo), *_hook(repo, hook), *(_workflows(repo, keys, source) if keys else ())]
    if not dry_run:
        for plan in plans:
            _write(repo, plan)
    return tuple(plan.put for plan in plans)


def template(name: str) -> str:
    """One of the package's `templates/` or `schemas/`."""
    return files("split_ci").joinpath(name).read_text(encoding="utf-8")


def _files(repo: Repo) -> list[Plan]:
    specs = find_config(repo, {}).specs
    config = template("templates/config.yaml").replace("specs/.schemas", f"{specs}/.schemas")
    wanted = {
        FILE: config,
        f"{specs}/README.md": template("templates/specs.md"),
        f"{specs}/TEMPLATE.md": template("templates/TEMPLATE.md"),
        f"{specs}/coaching/.gitkeep": "",
        f"{specs}/.schemas/config.schema.json": template("schemas/config.schema.json"),
        f"{specs}/.schemas/frontmatter.schema.json": template("schemas/frontmatter.schema.json"),
    }
    return [_file(repo, path, text) for path, text in wanted.items()]


def _file(repo: Repo, path: str, text: str) -> Plan:
    found = _read(repo.root, path)
    if found is None:
        return Plan(Put(path, "created"), text)
    if found != text and path.endswith(".schema.json"):
        return Plan(
            Put(path, "left", "it differs from this version's: delete it and run split-ci init again to take the new one")
        )
    return Plan(Put(path, "unchanged"))


def setting(repo: Repo, config: Config, keys: Keys) -> Setting:
    """What the workflows of a repository are rendered from."""
    branch = default_branch(repo).removeprefix("refs/heads/")
    limits = config.limits
    return Setting(
        "main" if branch == "HEAD" else branch, config.specs, keys.implementer, keys.architect, limits.minutes, limits.rounds
    )


def _workflows(repo: Repo, keys: Keys, source: str) -> list[Plan]:
    rendered = render(setting(repo, find_config(repo, {}), keys))
    return [*(_kept_up(repo, path, text) for path, text in rendered.items()), _source(repo, source)]


def _kept_up(repo: Repo, path: str, text: str) -> Plan:
    """A file that follows the configuration as long as nobody else has changed it."""
    found = _read(repo.root, path)
    if found is None:
        return Plan(Put(path, "created"), text)
    if found == text:
        return Plan(Put(path, "unchanged"))
    if ours(found):
        return Plan(Put(path, "changed", "brought up to date"), text, was=found)
    return Plan(Put(path, "left", "it was changed by hand: delete it and run split-ci init again to take this version's"))


def _source(repo: Repo, source: str) -> Plan:
    found = _read(repo.root, SOURCE)
    line = given(source) if source else find_or_none(repo.root)
    if line is None:
        if found is not None:
            return Plan(Put(SOURCE, "unchanged"))
        return Plan(Put(SOURCE, "left", "not written, since nothing here says where to take split-ci from: " + SOURCE_HINT))
    if source and found not in (None, marked(line + "\n")):
        return Plan(Put(SOURCE, "changed", "as --source says"), marked(line + "\n"), was=found)
    return _kept_up(repo, SOURCE, marked(line + "\n"))


def _hook(repo: Repo, hook: Hook) -> list[Plan]:
    if hook == "none":
        return []
    return [_pre_commit(repo) if hook == "pre-commit" else _git_hook(repo)]


def _pre_commit(repo: Repo) -> Plan:
    entry = template("templates/hook.yaml")
    found = _read(repo.root, PRE_COMMIT)
    if found is None:
        return Plan(Put(PRE_COMMIT, "created"), "repos:\n" + entry)
    try:
        if has_entry(found):
            return Plan(Put(PRE_COMMIT, "unchanged"))
        return Plan(Put(PRE_COMMIT, "changed", "the hook's entry, behind the others"), with_entry(found, entry), was=found)
    except ValueError as error:
        return Plan(Put(PRE_COMMIT, "left", f"{error}: add this to its 'repos' by hand:\n{entry}"))


def _git_hook(repo: Repo) -> Plan:
    script = template("templates/pre-commit.sh")
    elsewhere = hooks_path(repo)
    if elsewhere:
        line = "split-ci check --staged || exit 1"
        return Plan(Put(elsewhere, "left", f"core.hooksPath names this folder: add this line to its pre-commit: {line}"))
    found = _read(repo.common_dir, "hooks/pre-commit")
    path = os.path.join(repo.common_dir, "hooks", "pre-commit")
    if found is None:
        return Plan(Put(path, "created"), script, executable=True)
    if found == script or "split-ci check" in found:
        return Plan(Put(path, "unchanged"))
    return Plan(Put(path, "left", "there is a hook already: add this line to it: split-ci check --staged || exit 1"))


def _read(root: str, path: str) -> str | None:
    """A file's text; None where nothing has that name. Raises Refused for anything but a file behind plain folders."""
    full, mode = root, stat.S_IFDIR
    for part in path.split("/"):
        if not stat.S_ISDIR(mode):
            raise Refused(f"{path}: a file is where its folder should be: move it away")
        full = os.path.join(full, part)
        try:
            mode = os.lstat(full).st_mode
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(mode):
            raise Refused(f"{path}: {os.path.relpath(full, root)} is a symlink, which is not followed: move it away")
    if not stat.S_ISREG(mode):
        raise Refused(f"{path}: something else than a file has that name: move it away")
    with open(full, "rb") as file:
        return file.read().decode("utf-8", "surrogateescape")


def _write(repo: Repo, plan: Plan) -> None:
    if plan.put.action not in ("created", "changed"):
        return
    target = os.path.join(repo.root, plan.put.path)  # a hook's path is absolute already
    folder = os.path.dirname(target)
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, WRITTEN)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o777 if plan.executable else 0o666)
    with open(handle, "wb") as file:
        file.write(plan.text.encode("utf-8", "surrogateescape"))
        file.flush()
        os.fsync(file.fileno())
    if plan.was is not None:
        os.chmod(temporary, stat.S_IMODE(os.lstat(target).st_mode))
    elif os.path.lexists(target):
        os.unlink(temporary)
        raise Refused(f"{plan.put.path}: someone else has just written it: run split-ci init again")
    os.replace(temporary, target)
