"""Write a new spec: a draft to fill in, or the spec that reproduces a change which git knows already.

The spec goes to the specs folder, as <id>.md; a file that is there is never overwritten. With --from or --staged it is
`ready`, names what is protected and waives what is meant, and was applied to its base and compared before it was written.

examples:
  split-ci new "Fold the two loaders into one"     a draft, specs/fold-the-two-loaders-into-one.md
  split-ci new --from HEAD~2                       that commit, byte for byte
  split-ci new --staged --id loaders               what is staged now, on HEAD
  split-ci new --from v1.2 --out /tmp/fix.md       somewhere else
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.steps.new import Written

SUMMARY = "write a draft, or the spec that reproduces a commit or what is staged"
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("title", nargs="?", metavar="TITLE", help="what the change does, at most 72 characters")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--from", dest="rev", metavar="REV", help="reproduce this commit on its parent")
    source.add_argument("--staged", action="store_true", help="reproduce what is staged, on HEAD")
    parser.add_argument("--id", metavar="ID", help="the spec's id (default: made of the title)")
    parser.add_argument("--out", metavar="FILE", help="where to write it (default: <id>.md in the specs folder)")


def run(args: Namespace) -> int:
    from split_ci.config import find_config
    from split_ci.git import Repo

    id_ = _asked_id(args.id, args.out)
    repo = Repo.find()
    config = find_config(repo)
    if repo.bare and not args.out:
        from split_ci.errors import UsageError

        raise UsageError("a bare repository has no specs folder to write to", hint="split-ci new … --out FILE")
    if id_:
        _refuse_taken(repo, config, id_, args.out)
    written = _write_spec(args, repo, config, id_)
    if not id_:
        _refuse_taken(repo, config, written.id, args.out)
    path = args.out or os.path.join(_specs_folder(repo, config), f"{written.id}.md")
    _save(path, written.data)
    _tell(args.format, written, os.path.relpath(path), staged=args.staged)
    return 0


def _write_spec(args: Namespace, repo: Repo, config: Config, id_: str | None) -> Written:
    from split_ci.errors import UsageError
    from split_ci.steps import new

    if args.title and len(args.title.strip()) > 72:
        raise UsageError(
            f"the title has {len(args.title.strip())} characters: at most 72", hint="say less, and the rest under `## Why`"
        )
    if args.rev is not None:
        return new.from_commit(repo, args.rev, config, id_, args.title)
    if args.staged:
        return new.from_index(repo, config, id_, args.title)
    if not args.title:
        raise UsageError("new needs a title, --from REV or --staged", hint='split-ci new "What the change does"')
    return new.draft(args.title, id_)


def _asked_id(id_: str | None, out: str | None) -> str | None:
    """The id that the command line names: `--id`, else the stem of `--out`. Raises UsageError."""
    from split_ci.errors import UsageError
    from split_ci.paths import path_fault
    from split_ci.writing import RESERVED_IDS

    if out is not None:
        stem, ending = os.path.splitext(os.path.basename(out))
        if ending != ".md" or (id_ is not None and stem != id_):
            raise UsageError(f"--out {out}: a spec's file is called <id>.md", hint=f"--out {id_ or 'some-id'}.md")
        id_ = stem
    if id_ is not None and (not ID.fullmatch(id_) or id_ in RESERVED_IDS or path_fault(f"{id_}.md")):
        raise UsageError(
            f"{id_!r} is not a spec id: a-z, 0-9 and -, at most 63, and no name that is taken for something else"
        )
    return id_


def _refuse_taken(repo: Repo, config: Config, id_: str, out: str | None) -> None:
    """Nothing is overwritten, and no id is used twice."""
    from split_ci.errors import Refused
    from split_ci.paths import fold

    if out is not None:
        if os.path.lexists(out):
            raise Refused(f"{out} is there already, and nothing is overwritten", hint="another name for --out")
        if not os.path.isdir(os.path.dirname(os.path.abspath(out))):
            raise Refused(f"{out}: there is no such folder", hint="mkdir -p, then again")
        return
    for folder in (config.specs, f"{config.specs}/landed"):
        where = os.path.join(repo.root, folder)
        names = os.listdir(where) if os.path.isdir(where) else []
        twin = next((name for name in names if fold(name) == fold(f"{id_}.md")), None)
        if twin:
            raise Refused(
                f"{folder}/{twin} is there already, and nothing is overwritten", hint="split-ci new … --id another-id"
            )


def _specs_folder(repo: Repo, config: Config) -> str:
    """The folder that specs lie in, made where it is not there; no link is followed to it."""
    from split_ci.errors import Refused

    where = repo.root
    for name in config.specs.split("/"):
        where = os.path.join(where, name)
        if os.path.lexists(where) and (os.path.islink(where) or not os.path.isdir(where)):
            raise Refused(f"{config.specs}: {name} is not a plain folder, and nothing is written through it")
    os.makedirs(where, exist_ok=True)
    return where


def _save(path: str, data: bytes) -> None:
    """The whole file or none, even when killed; never over another."""
    from split_ci.errors import Refused

    folder = os.path.dirname(os.path.abspath(path))
    part = os.path.join(folder, f".{os.path.basename(path)}.{os.getpid()}.part")
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    except FileExistsError as error:
        raise Refused(f"{error.filename2 or error.filename} is there already, and nothing is overwritten") from None
    finally:
        if os.path.lexists(part):
            os.unlink(part)


def _tell(format_: str, written: Written, path: str, *, staged: bool) -> None:
    from split_ci.report.terminal import say, say_json

    next_ = f"split-ci run {path} --base {written.base[:12]}" if written.base else f"split-ci check {path}"
    if format_ == "json":
        say_json({
            "id": written.id, "path": path, "title": written.title, "base": written.base or None,
            "protected": list(written.protected), "waive": list(written.waive), "next": next_,
        })  # fmt: skip
        return
    say(path)
    if written.protected:
        say(f"  it changes protected paths: {', '.join(written.protected[:5])}{' …' if len(written.protected) > 5 else ''}")
    if written.waive:
        say(f"  it waives {', '.join(written.waive)}: split-ci explain {written.waive[0]}")
    if staged:
        say("  what you staged stays staged: before you add the spec, put it away (git stash push --staged)")
    say(f"  next: {'' if written.base else 'fill it in, then '}{next_}")
