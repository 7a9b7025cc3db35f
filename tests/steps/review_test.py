"""Review: cases from git objects alone, many at once, and the reviewers in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.ports import Usage
from split_ci.reviewers.rules import Rules
from split_ci.steps.review import Difference, ResultTree, Subject, cases, review_all
from split_ci.verdict import decide
from tests.builders import commit, git, make_repo, spec, write
from tests.reviewed import add_result, judge, make_result

if TYPE_CHECKING:
    from pathlib import Path

    from split_ci.ports import Case
    from split_ci.verdict import Verdict

EDIT = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\ntwo\n```\n"


class Content:
    """A reviewer that finds everything right."""

    name = "content"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def review(self, case: Case) -> Verdict:
        self.asked.append(case.spec.id)
        verdict = Rules().review(case)
        return decide(
            verdict._replace(by=self.name, decision="approve", summary="Fine.", usage=Usage(1, 10, 0, 5, 0.5)), case
        )


def test_what_the_rules_refuse_never_reaches_the_next(tmp_path: Path) -> None:
    text = spec(EDIT + "\n### Instruct `b.txt`\nWrite.\n")
    good = make_result(tmp_path / "good", {"a.txt": "one\n"}, text, model={"b.txt": "b\n"})
    bad = make_result(tmp_path / "bad", {"a.txt": "one\n"}, text, model={"c.txt": "c\n"})
    content = Content()
    (first,) = review_all(good.repo, [good.subject()], [Rules(), content])
    (second,) = review_all(bad.repo, [bad.subject()], [Rules(), content])
    assert (first.decision, first.by, first.usage.calls) == ("approve", "content", 1)
    assert (second.decision, second.by, second.usage.calls) == ("request_changes", "rules", 0)
    assert content.asked == ["one"]


def test_many_results_are_reviewed_in_their_order(tmp_path: Path) -> None:
    texts = {f"s{n}": spec(f"### Create `f{n}.txt`\n```\n{n}\n```\n\n### Delete `d{n}.py`\n") for n in range(12)}
    files = {f"d{n}.py": "x = 1\n" for n in range(12)} | {"run.sh": "python ./d3.py\n"}
    root = make_repo(tmp_path / "r", {**files, **{f"specs/{i}.md": t for i, t in texts.items()}})
    results = [add_result(root, text, spec_id=i) for i, text in texts.items()]
    verdicts = review_all(results[0].repo, [r.subject() for r in results], [Rules()])
    assert [v.head for v in verdicts] == [r.head for r in results]
    assert [v.id for v in verdicts if v.decision != "approve"] == ["s3"]


def test_who_wrote_a_path_is_computed_and_never_believed(tmp_path: Path) -> None:
    """The commit is made by hand: nothing but git objects says who wrote what."""
    root = make_repo(tmp_path / "r", {"a.txt": "one\n", "b.txt": "b\n", "specs/one.md": spec(EDIT)})
    result = add_result(root, spec(EDIT))
    git(root, "checkout", "-q", "--detach", result.base)
    write(root, {"a.txt": "two\n", "b.txt": "c\n", "specs/landed/one.md": spec(EDIT)})
    (root / "specs/one.md").unlink()
    head = commit(root, {})
    subject = Subject(result.spec, result.base, head)
    with result.repo.objects() as objects:
        (case,) = cases(result.repo, [subject], objects)
    assert [(c.path, c.by) for c in case.changed] == [("a.txt", "exact"), ("b.txt", "model")]
    (verdict,) = review_all(result.repo, [subject], [Rules()])
    assert [f.rule for f in verdict.findings] == ["scope"]


def test_a_result_without_its_spec_is_sent_back(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a.txt": "one\n", "specs/one.md": spec(EDIT)})
    result = add_result(root, spec(EDIT))
    git(root, "checkout", "-q", "--detach", result.base)
    head = commit(root, {"a.txt": "two\n"})
    (verdict,) = review_all(result.repo, [Subject(result.spec, result.base, head)], [Rules()])
    assert [(f.rule, f.path, f.cause) for f in verdict.findings] == [
        ("landed", "specs/landed/one.md", "environment"),
        ("landed", "specs/one.md", "environment"),
    ]


def test_the_tree_of_a_result_is_that_of_its_commit(tmp_path: Path) -> None:
    sections = EDIT + "\n### Delete `d/e/f.txt`\n\n### Create `g/h.txt`\n```\nh\n```\n\n### Move `d/x.txt` to `d/y/z.txt`\n"
    result = make_result(tmp_path / "r", {"a.txt": "one\n", "d/e/f.txt": "f\n", "d/x.txt": "x\n"}, spec(sections))
    with result.repo.objects() as objects:
        (case,) = cases(result.repo, [result.subject()], objects)
        real = result.repo.tree(result.head, objects)
        assert case.after.paths() == real.paths()
        assert case.tree == git(tmp_path / "r", "rev-parse", f"{result.head}^{{tree}}")
        for folder in ("", "d", "d/e", "d/y", "g", "specs", "nowhere"):
            assert sorted(case.after.names(folder)) == sorted(real.names(folder)), folder
        for path in ("a.txt", "d/e/f.txt", "d/y/z.txt", "d/x.txt", "g/h.txt", "specs/one.md", "nowhere"):
            assert case.after.read(path) == real.read(path), path
        assert case.after.entry("d/e") is None
        assert case.after.entry("g") is not None


def test_a_removed_folder_is_gone_all_the_way(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a/b/c.txt": "c\n"})
    from split_ci.git import Repo

    repo = Repo.find(str(root))
    with repo.objects() as objects:
        before = repo.tree("HEAD", objects)
        after = ResultTree(before, [Difference("a/b/c.txt", before.entry("a/b/c.txt"), None)], objects)
        assert [after.entry(path) for path in ("a/b/c.txt", "a/b", "a")] == [None, None, None]
        assert after.names("") == []


def test_nothing_is_written(tmp_path: Path) -> None:
    root = tmp_path / "r"
    result = make_result(root, {"a.txt": "one\n"}, spec(EDIT))
    before = git(root, "for-each-ref"), git(root, "status", "--porcelain"), git(root, "count-objects", "-v")
    assert judge(result).decision == "approve"
    assert (git(root, "for-each-ref"), git(root, "status", "--porcelain"), git(root, "count-objects", "-v")) == before
