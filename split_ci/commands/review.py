"""Review a result: the rules first, then, where the configuration names one, the architect's model. It only writes OUT.

The rules read the result out of git: every changed path against the spec, frozen files, the criteria's results, references
to what is gone, lessons that forbid. What they refuse never reaches the model. Exit 0 once a verdict is written;
with `--exit-code` 1 where it is not an approval.

examples:
  split-ci review split-ci/fold-loaders --accept results.json --out review.json
  split-ci review fold-loaders --accept results.json --out review.json --exit-code
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from split_ci.caps import Journal
    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ledger import Entry
    from split_ci.ports import Reviewer
    from split_ci.results import Results
    from split_ci.steps.review import Subject
    from split_ci.verdict import Verdict

SUMMARY = "read a result and write the verdict on it"
FORMATS = ("github",)


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("result", metavar="BRANCH", help="the result's branch, its spec's id, or a commit")
    parser.add_argument("--accept", required=True, metavar="RESULTS", help="what `split-ci accept` wrote")
    parser.add_argument("--out", required=True, metavar="REVIEW", help="the file to write")
    parser.add_argument("--round", type=int, default=1, metavar="N", help="which round this is (default: 1)")
    parser.add_argument("--exit-code", action="store_true", help="exit 1 where the verdict is not an approval")


def run(args: Namespace) -> int:
    import os

    from split_ci.coaching import load_lessons
    from split_ci.commands.implement import write_whole
    from split_ci.config import find_config
    from split_ci.git import Repo
    from split_ci.journals import Journals
    from split_ci.report.review import show
    from split_ci.spending import day_of
    from split_ci.steps.review import review_all
    from split_ci.verdict import dump

    repo = Repo.find()
    config = find_config(repo)
    subject = subject_of(repo, config, args.result, read_results(args.accept), args.round)
    verdict = _paid_for(repo, config, subject)
    if verdict is None:
        with Journals(repo) as journals:
            reviewers = build_reviewers(config, os.environ, repo.root, journals.open, day_of(repo, config))
            verdict = review_all(repo, [subject], reviewers, lessons=load_lessons(repo, config).lessons)[0]
            write_whole(args.out, dump(verdict) + "\n")
            journals.over()
    else:
        write_whole(args.out, dump(verdict) + "\n")
    show(verdict, args.format, args.out)
    return 1 if args.exit_code and verdict.decision != "approve" else 0


def _paid_for(repo: Repo, config: Config, subject: Subject) -> Verdict | None:
    """The review of this very head that a model was paid for, where it came to a decision; nobody pays for that twice."""
    from split_ci.notes import review_of

    known = review_of(repo, subject.head) if config.architect != "rules" else None
    decided = known is not None and known.usage.calls and known.decision != "incomplete"
    return known if known is not None and decided and known.digest == subject.spec.digest else None


def build_reviewers(
    config: Config, env: object, root: str, open_journal: Callable[[Entry, str], Journal] | None = None, day: object = None
) -> list[Reviewer]:
    """The rules, and the architect's model where the configuration names one. Raises UsageError."""
    from split_ci.reviewers.rules import Rules

    rules = Rules(specs=config.specs, protected=config.protected)
    if config.architect == "rules":
        return [rules]
    from typing import Any, cast

    from split_ci.errors import UsageError
    from split_ci.models import build
    from split_ci.reviewers.architect import Architect

    if config.architect not in config.models:
        raise UsageError(f"architect: {config.architect!r} is neither rules nor one of `models`", hint="split-ci doctor")
    more: dict[str, Any] = {"day": day} if day is not None else {}
    if open_journal is not None:
        more["open_journal"] = open_journal
    model = build(config.models[config.architect], cast("Any", env), root)
    return [rules, cast("Reviewer", Architect(model, config, **more))]


def read_results(path: str) -> Results:
    """What `accept` wrote. Raises Refused."""
    from split_ci.results import MAX_BYTES, load

    return load(read_file(path, MAX_BYTES))


def read_file(path: str, limit: int) -> str:
    """A file's text, at most `limit` bytes of it. Raises UsageError or Refused."""
    from split_ci.errors import Refused, UsageError

    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise Refused(f"{path}: larger than {limit} bytes")
        return data.decode()
    except UnicodeDecodeError:
        raise Refused(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def subject_of(repo: Repo, config: Config, name: str, results: Results | None, number: int = 1) -> Subject:
    """A result by its branch, its spec's id or its commit, with the spec that it carries. Raises UsageError or Refused."""
    from split_ci.errors import Refused, UsageError
    from split_ci.notes import review_before
    from split_ci.ports import Usage
    from split_ci.spec import parse_spec
    from split_ci.steps.review import Subject
    from split_ci.steps.status import read_head

    names = (f"refs/heads/split-ci/{name}", f"refs/heads/{name}", f"refs/remotes/origin/{name}", name)
    commit = next((found for found in map(repo.commit_or_none, names) if found), None)
    if commit is None:
        raise UsageError(f"no result is named {name!r} here", hint="split-ci status")
    with repo.objects() as objects:
        head = read_head(name, commit, objects)
        spec_id, base = head.trailers.get("Spec", ""), head.trailers.get("Base", "")
        path = f"{config.specs}/{spec_id}.md"
        file = repo.tree(commit, objects).read(f"{config.specs}/landed/{spec_id}.md") if spec_id else None
    if file is None or not repo.commit_or_none(base):
        raise Refused(f"{name}: commit {commit[:12]} is not a result: it carries no spec and base", hint="split-ci status")
    parsed = parse_spec(file.data, path)
    if parsed.spec is None:
        first = parsed.problems[0]
        raise Refused(f"{path}:{first.line}: {first.code}: {first.message}", hint=f"split-ci explain {first.code}")
    earlier = review_before(repo, commit) if number > 1 else None
    spent = earlier.usage if earlier else Usage()
    return Subject(parsed.spec, repo.commit(base), commit, results, earlier, number, spent)
