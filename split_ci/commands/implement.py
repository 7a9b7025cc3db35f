"""Run the whole ladder for one spec and write its changeset: the exact part by code, what is left by models.

Where a model was asked, the criteria are run on what it made, in the sandbox, and a round follows as long as that can mend
them. What an earlier run had made of the same spec on the same base is not paid for again. It changes nothing in the
repository and holds no forge credential; a key is needed only if a rung asks a model.

Beside CHANGESET, `changeset.1.json` and so on are the attempts that came before, `results.1.json` what their criteria said:
all of it is for `split-ci record`.

examples:
  split-ci implement specs/fold-loaders.md --base HEAD --out changeset.json
  split-ci implement fold-loaders --base main --out changeset.json
  split-ci implement fold-loaders --base main --round 2 --parent split-ci/fold-loaders --out changeset.json
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping, Sequence

    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ledger import Entry
    from split_ci.ports import Implementer
    from split_ci.rounds import Round
    from split_ci.sandbox import Sandbox
    from split_ci.spec import Spec
    from split_ci.steps.implement import Job

SUMMARY = "apply a spec: write the changeset that its ladder of implementers makes"
FORMATS = ("github",)


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", help="a spec's file or its id")
    parser.add_argument("--base", required=True, metavar="REV", help="the commit to start from")
    parser.add_argument("--parent", default="", metavar="REV", help="for a later round: the head of the branch")
    parser.add_argument("--round", type=int, default=1, metavar="N", help="which round this is (default: 1)")
    parser.add_argument("--sandbox", choices=("required",), help="run no command and no agent without a proved sandbox")
    parser.add_argument("--out", required=True, metavar="CHANGESET", help="the file to write")


def run(args: Namespace) -> int:
    from contextlib import ExitStack

    from split_ci import coaching, rounds
    from split_ci.config import config_of
    from split_ci.git import Repo
    from split_ci.journals import Journals
    from split_ci.kept import entries_of, spent_before
    from split_ci.report.implement import show
    from split_ci.spending import day_of
    from split_ci.steps.accept import Acceptance
    from split_ci.store import Quarantine

    repo = Repo.find()
    base = repo.commit(args.base)
    config = config_of(repo, base)
    if args.sandbox:
        config = config._replace(sandbox=args.sandbox)
    spec = find_spec(repo, config, args.spec, base)
    entries = entries_of(repo, spec, base)
    kept = _kept(repo, config, spec, base, args.round, entries)
    job = _job(repo, spec, base, args)._replace(spent=spent_before(entries, args.round))
    if job.round > 1 and not job.parent and job.round not in kept:
        raise _headless()
    with ExitStack() as stack:
        journals = stack.enter_context(Journals(repo))
        quarantine = stack.enter_context(Quarantine(repo))
        sandbox = _sandbox(config, spec)
        acceptance = stack.enter_context(Acceptance(repo, config=config, git_dir=quarantine.git_dir, sandbox=sandbox))
        made = rounds.climb(
            rounds.Means(
                repo, config, build_implementers(config, os.environ, repo.root), quarantine, acceptance,
                coaching.load_lessons(repo, config), journals.open, day_of(repo, config), kept,
            ),
            job,
        )  # fmt: skip
        _save(args.out, made)
        if made[-1].made.fault is None:
            journals.over()  # `record` or the next run takes it into the ledger
    return show(made, args.out, args.format)


def _sandbox(config: Config, spec: Spec) -> Sandbox | None:
    """The sandbox, proved before any model is asked; None where nothing of the repository can come to run."""
    from split_ci.following import rungs
    from split_ci.sandbox import choose

    runs = any(criterion.kind == "run" for criterion in spec.accept)
    return choose(config.sandbox) if rungs(spec, config) and (runs or config.sandbox == "required") else None


def _kept(repo: Repo, config: Config, spec: Spec, base: str, round_: int, entries: Sequence[Entry]) -> Mapping[int, Entry]:
    """Round -> the attempt that is kept; also the one that a branch shows and no record knows."""
    from split_ci.kept import of_branch, usable

    shown = of_branch(repo, spec, base, round_, entries)
    return {**usable(repo, spec, config, entries), **({round_: shown} if shown else {})}


def _job(repo: Repo, spec: Spec, base: str, args: Namespace) -> Job:
    from split_ci.notes import review_of
    from split_ci.steps.implement import Job

    parent = repo.commit(args.parent) if args.parent else None
    if args.round < 1 or (parent and args.round < 2):
        raise _headless()
    verdict = review_of(repo, parent) if parent else None
    return Job(spec, base, parent, args.round, verdict.findings if verdict else ())


def _headless() -> Exception:
    from split_ci.errors import UsageError

    return UsageError("a round after the first starts from a head", hint="--round 2 --parent split-ci/<id>")


def find_spec(repo: Repo, config: Config, name: str, base: str) -> Spec:
    """The spec in a file, or of an id as the base holds it. Raises Refused or UsageError."""
    from split_ci.errors import Refused, UsageError
    from split_ci.spec import parse_spec

    stem = os.path.basename(name).removesuffix(".md")
    path = f"{config.specs}/{stem}.md"
    if "/" in name or name.endswith(".md"):
        if not os.path.isfile(name):
            raise UsageError(f"{name}: no such file", hint="split-ci plan")
        with open(name, "rb") as file:
            data = file.read()
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


def _save(out: str, made: Sequence[Round]) -> None:
    """The last round's file, and one beside it for each attempt before: `changeset.1.json`, with `results.1.json`."""
    from split_ci import results
    from split_ci.changeset import dump

    folder, name = os.path.split(out)
    stem, end = os.path.splitext(name)
    number = 0
    for one in made:
        for attempt in (*one.made.others, one.made.changeset):
            if one is made[-1] and attempt is one.made.changeset:
                break
            number += 1
            write_whole(os.path.join(folder, f"{stem}.{number}{end}"), dump(attempt))
            if one.results and attempt is one.made.changeset:
                write_whole(os.path.join(folder, f"results.{number}{end}"), results.dump(one.results))
    write_whole(out, dump(made[-1].made.changeset))


def write_whole(path: str, text: str) -> None:
    """A file that is there whole or not at all, also after a loss of power."""
    half = f"{path}.{os.getpid()}.tmp"
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    try:
        with open(half, "x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    finally:
        if os.path.lexists(half):
            os.unlink(half)


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
