"""Run a spec's criteria on its base and on a changeset's result, in clean checkouts, under the sandbox, and write what
they said.

The result is built from the changeset in a quarantine that is gone afterwards; nothing in the repository
changes. The file is
bound to the changeset by the digest of its canonical JSON. Exit 0: every criterion is red before and green after; 1: not so.

examples:
  split-ci accept changeset.json --out results.json
  split-ci accept changeset.json --out results.json --twice
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from split_ci.changeset import Changeset
    from split_ci.spec import Spec

SUMMARY = "run the criteria of a changeset on its base and on its result"
FORMATS = ("github",)


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("changeset", metavar="CHANGESET", help="the file that `implement` wrote")
    parser.add_argument("--out", required=True, metavar="RESULTS", help="the file to write")
    parser.add_argument("--sandbox", choices=("required",), help="run no command without a proved sandbox")
    parser.add_argument("--twice", action="store_true", help="run what is green on the result again: the answers must agree")
    parser.add_argument("-j", "--jobs", type=int, metavar="N", help="how many criteria at a time (default: limits.parallel)")


def run(args: Namespace) -> int:
    from split_ci.changeset import digest_of
    from split_ci.config import find_config
    from split_ci.errors import UsageError
    from split_ci.git import Repo
    from split_ci.report.accept import show
    from split_ci.results import dump
    from split_ci.sandbox import choose
    from split_ci.steps.accept import Candidate, accept, put_back
    from split_ci.store import Quarantine

    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"-j {args.jobs}: at least 1")
    repo = Repo.find()
    config = find_config(repo)
    if args.sandbox:
        config = config._replace(sandbox=args.sandbox)
    changeset, spec = _read(args.changeset)
    repo.commit(changeset.base)
    runs = any(c.kind == "run" for c in spec.accept)
    sandbox = choose(config.sandbox) if runs else None
    with repo.objects() as objects:
        judged = put_back(changeset, spec, repo.tree(changeset.base, objects))
    with Quarantine(repo) as quarantine:
        (built,) = quarantine.build([judged])
        one = Candidate(spec, changeset.base, built.commit, built.tree, digest_of(changeset))
        (results,) = accept(
            repo, [one], config=config, git_dir=quarantine.git_dir, sandbox=sandbox, jobs=args.jobs, twice=args.twice
        )
    _write(args.out, dump(results))
    show(results, sandbox.warning if sandbox else "", args.format)
    return 0 if results.ok else 1


def _read(path: str) -> tuple[Changeset, Spec]:
    """The changeset in a file, validated from scratch, with its spec."""
    from split_ci.changeset import load
    from split_ci.errors import Refused, UsageError
    from split_ci.spec import parse_spec

    try:
        with open(path, encoding="utf-8") as file:
            changeset = load(file.read())
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file", hint="split-ci implement SPEC --base REV --out CHANGESET") from None
    except UnicodeDecodeError:
        raise Refused(f"{path}: changeset: not UTF-8") from None
    parsed = parse_spec(changeset.spec, changeset.spec_path)
    if parsed.spec is None:
        first = parsed.problems[0]
        raise Refused(f"{first.path}:{first.line}: {first.code}: {first.message}", hint=first.fix)
    if parsed.spec.id != changeset.id or parsed.spec.digest != changeset.digest:
        raise Refused(f"{path}: changeset: its spec is not the one that it names")
    return changeset, parsed.spec


def _write(path: str, text: str) -> None:
    """All of it or nothing: to a new file, onto the disk, then renamed."""
    import os
    import tempfile

    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".results-", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
