"""Run the whole ladder for one spec and write its changeset: the exact part by code, what is left by models.

It changes nothing in the repository and holds no forge credential; a key is needed only if a rung asks a model.

examples:
  split-ci implement specs/fold-loaders.md --base HEAD --out changeset.json
  split-ci implement fold-loaders --base main --out changeset.json
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ports import Implementer
    from split_ci.spec import Spec
    from split_ci.steps.implement import Job, Made

SUMMARY = "apply a spec: write the changeset that its ladder of implementers makes"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", help="a spec's file or its id")
    parser.add_argument("--base", required=True, metavar="REV", help="the commit to start from")
    parser.add_argument("--parent", metavar="REV", help="for a later round: the head of the branch")
    parser.add_argument("--round", type=int, default=1, metavar="N", help="which round this is (default: 1)")
    parser.add_argument("--out", required=True, metavar="CHANGESET", help="the file to write")


def run(args: Namespace) -> int:
    from split_ci.coaching import load_lessons
    from split_ci.config import find_config
    from split_ci.git import Repo
    from split_ci.journals import Journals
    from split_ci.spending import day_of
    from split_ci.steps.implement import implement

    repo = Repo.find()
    config = find_config(repo)
    job = _job(repo, config, args)
    library = load_lessons(repo, config)
    asked = build_implementers(config, os.environ, repo.root)
    with Journals(repo) as journals:
        made = implement(
            repo, [job], config=config, implementers=asked, lessons=library.lessons, lessons_at=library.commit,
            open_journal=journals.open, day=day_of(repo, config),
        )[0]  # fmt: skip
        _save(args.out, made)
        if made.fault is None:
            journals.over()  # `record` or the next run takes it into the ledger
    return _tell(args.format, made, args.out)


def _job(repo: Repo, config: Config, args: Namespace) -> Job:
    from split_ci.errors import UsageError
    from split_ci.steps.implement import Job

    base = repo.commit(args.base)
    parent = repo.commit(args.parent) if args.parent else None
    if args.round < 1 or (args.round > 1) != bool(parent):
        raise UsageError("a round after the first starts from a head", hint="--round 2 --parent split-ci/<id>")
    return Job(find_spec(repo, config, args.spec, base), base, parent, args.round)


def find_spec(repo: Repo, config: Config, name: str, base: str) -> Spec:
    """The spec in a file, or of an id as the base holds it. Raises Refused or UsageError."""
    from split_ci.errors import Refused, UsageError
    from split_ci.spec import parse_spec

    stem = os.path.basename(name).removesuffix(".md")
    path = f"{config.specs}/{stem}.md"
    if os.path.isfile(name):
        with open(name, "rb") as file:
            data = file.read()
    elif "/" in name or name.endswith(".md"):
        raise UsageError(f"{name}: no such file", hint="split-ci plan")
    else:
        found = repo.tree(base).read(path)
        if found is None:
            raise UsageError(f"{path} is not in {base[:12]}", hint="split-ci plan")
        data = found.data
    parsed = parse_spec(data, path)
    errors = [p for p in parsed.problems if p.severity == "error"]
    if errors or parsed.spec is None:
        first = errors[0]
        raise Refused(f"{first.path}:{first.line}: {first.code}: {first.message}", hint=f"split-ci check {path}")
    return parsed.spec


def _save(out: str, made: Made) -> None:
    """The result's file, and one beside it for each attempt that was paid for before: `changeset.1.json`."""
    from split_ci.changeset import dump

    stem, end = os.path.splitext(out)
    for number, other in enumerate(made.others, 1):
        write_whole(f"{stem}.{number}{end}", dump(other))
    write_whole(out, dump(made.changeset))


def write_whole(path: str, text: str) -> None:
    """A file that is there whole or not at all, also after a loss of power."""
    half = f"{path}.{os.getpid()}.tmp"
    try:
        with open(half, "x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    finally:
        if os.path.lexists(half):
            os.unlink(half)


def _tell(form: str, made: Made, out: str) -> int:
    from split_ci.report.terminal import say, say_json, visible

    changeset = made.changeset
    outcome, usage, edits = changeset.outcome, changeset.usage, dict(changeset.edits)
    if form == "json":
        say_json({
            "id": changeset.id, "outcome": outcome.name, "reason": outcome.reason, "out": out, "edits": edits,
            "attempt": changeset.attempt, "implementer": changeset.implementer, "usage": usage._asdict(),
            "lessons": list(changeset.lessons), "left_out": list(made.left_out),
            "others": [{"attempt": o.attempt, "implementer": o.implementer, **o.outcome._asdict()} for o in made.others],
        })  # fmt: skip
    else:
        counts = ", ".join(f"{count} {name}" for name, count in edits.items())
        say(visible(f"{changeset.id}: {outcome.name} by {changeset.implementer} ({counts})"))
        for other in (*made.others, changeset):
            if other.outcome.reason:
                say(visible(f"  {other.implementer}: {other.outcome.reason}"))
        if made.left_out:
            say(f"  lessons left out, for want of room: {', '.join(made.left_out)}")
        say(f"  {out}")
    if outcome.name == "done":
        return 0
    return 4 if made.fault else 1


def build_implementers(config: Config, env: Mapping[str, str], root: str) -> Mapping[str, Implementer]:
    """The model rungs of the configuration, by name. Each is built, and its key looked at, when it is first asked for."""
    from split_ci.errors import UsageError
    from split_ci.implementers.ladder import Ladder

    for name in config.implementers:
        if name not in config.models and name not in config.agents and name != "exact":
            raise UsageError(
                f"implementers: {name!r} is neither exact nor one of `models` or `agents`", hint="split-ci doctor"
            )
    return Ladder(config, env, root)
