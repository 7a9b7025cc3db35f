"""The ports (Model, Implementer, Reviewer, Forge) and the values that cross them, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

from split_ci.tree import Entry, File, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from split_ci.changeset import Changed
    from split_ci.errors import WorldError
    from split_ci.examined import Finding
    from split_ci.git import Repo
    from split_ci.github_settings import Needs
    from split_ci.lesson import Lesson
    from split_ci.results import Results
    from split_ci.spec import Spec
    from split_ci.verdict import Verdict

__all__ = ["Entry", "File", "Tree"]  # of a snapshot; all else is defined below

OutcomeName = Literal["done", "unchanged", "failed", "stale", "refused", "over-limit", "blocked"]
Role = Literal["architect", "implementer"]
T = TypeVar("T")


class Usage(NamedTuple):
    """What calls cost, in tokens (`cached` is a part of `input`); `usd` is None where a price is unknown."""

    calls: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    usd: float | None = 0.0

    def __add__(self, other: Usage) -> Usage:  # type: ignore[override]
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        return Usage(
            self.calls + other.calls, self.input + other.input, self.cached + other.cached, self.output + other.output, usd
        )


class Outcome(NamedTuple):
    """How a dispatch of one spec ended, and why, in one line."""

    name: OutcomeName
    reason: str = ""


class Event(NamedTuple):
    """A moment of a dispatch, for whoever watches. None leaves a figure as it was; `outcome` ends the spec."""

    id: str
    state: str  # waiting | exact | asking | criteria | publishing | reviewing, or an outcome's name
    detail: str = ""
    green: int | None = None
    criteria: int | None = None
    usd: float | None = None
    round: int | None = None
    outcome: Outcome | None = None


class Message(NamedTuple):
    role: Literal["user", "assistant"]
    text: str


class Asker(NamedTuple):
    """On whose behalf a call is made. Never sent; recorded replies are found by it."""

    role: Role = "implementer"
    spec: str = ""
    round: int = 1


class Request(NamedTuple):
    """One call. `system` and the first messages are the stable parts (prompt caches hit on them); `schema` asks for JSON.

    `seconds` is the deadline of the whole call, an SDK's own retries included. `topic` is never sent: what a conversation is
    about, without its marks and times. The same topic and the same answers so far are the same question (empty: never).
    """

    system: str
    messages: tuple[Message, ...]
    max_tokens: int = 8192
    schema: Mapping[str, Any] | None = None
    asker: Asker = Asker()
    seconds: float | None = None
    topic: str = ""


class Reply(NamedTuple):
    """One answer. `stop` is `end`, `length` (cut off) or `refusal`; `model` is the id that the server says answered."""

    text: str
    usage: Usage
    model: str
    stop: Literal["end", "length", "refusal"] = "end"


class Model(Protocol):
    """Something that answers a prompt. Raises `errors.WorldError` and nothing else."""

    name: str
    recorded: bool  # true for `scripted`: every place that shows its output says so

    def ask(self, request: Request) -> Reply: ...


class Workplace(NamedTuple):
    """Where an agent works, for whoever comes after a run that died meanwhile: the folder around its checkout, the mark that
    its processes carry, and what its task was about.
    """

    root: str
    mark: str
    spec: bytes
    spec_path: str
    parent: str | None = None


class Account(Protocol):
    """Where the calls of one attempt are counted, and refused past a cap (`caps.Account`)."""

    @property
    def usage(self) -> Usage: ...

    def tokens_left(self) -> int: ...

    def ask(self, model: Model, request: Request) -> Reply:
        """The model's answer. Raises `caps.OverLimit` before a call that no cap allows, else what the model raises."""
        ...

    def begin(self, tokens: int) -> float:
        """Allows a call by other hands, and says its seconds. Raises `caps.OverLimit`. One `end` follows."""
        ...

    def end(self, usage: Usage, guess_usd: float = 0.0) -> None: ...

    def seconds_left(self) -> float: ...

    def works_in(self, place: Workplace, release: Callable[[], None]) -> str:
        """Has the journal name a place of work, and hands it over: `release` is called once all that was made there is safe.
        Where the journal lies; empty where none is kept, and the place stays the caller's.
        """
        ...


class Task(NamedTuple):
    """What an implementer is given: the spec, the tree with the exact part applied, what is left, and the lessons.

    `applied` names the paths that exact sections wrote, `files` those whose text the brief shows, `protected` the
    configuration's globs beside the built-in ones; of each group in `asked` at least one path has to change. Every call
    goes through `account`, where the caps are.
    """

    spec: Spec
    base: str
    tree: Tree
    left: tuple[str, ...]  # why this rung is asked: Instruct sections, drifted edits, red criteria, findings; rendered text
    lessons: tuple[Lesson, ...]
    writable: tuple[str, ...]  # globs of paths that a model may touch
    frozen: tuple[str, ...]  # paths that it may not
    account: Account
    applied: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    asked: tuple[tuple[str, ...], ...] = ()
    topic: str = ""  # of the requests
    parent: str | None = None  # the branch's head, in a later round


class Attempt(NamedTuple):
    """What one implementer did once: files by path (None is deleted), what it cost, and the outcome so far.

    `fault` is the world's, where that ended it.
    """

    files: Mapping[str, File | None]
    usage: Usage
    outcome: Outcome
    transcript: tuple[Message, ...] = ()
    fault: WorldError | None = None


class Past(NamedTuple):
    """What a run that died had paid for of one attempt, which goes on under its id: its answers by their question, and what
    its implementer made, where it had ended.
    """

    attempt: str
    at: str
    lessons: tuple[str, ...]
    lessons_at: str | None
    usage: Usage
    answers: Mapping[str, Reply]
    held: tuple[str, ...] = ()
    made: Attempt | None = None


class Implementer(Protocol):
    """Changes files, and nothing else. Never raises for what a model says: that is an outcome."""

    name: str

    def implement(self, task: Task) -> Attempt: ...


class Case(NamedTuple):
    """What a reviewer is given: the result as it really is, read from git objects; never the implementer's own words."""

    spec: Spec
    base: str
    head: str  # the result's commit
    before: Tree  # the base
    after: Tree  # the head
    changed: tuple[Changed, ...]  # every path that differs, the spec's own move to specs/landed/ left out
    results: Results | None
    lessons: tuple[Lesson, ...]  # live ones, from the trusted branch
    earlier: Verdict | None = None  # of the round before
    spent: Usage = Usage()  # by the reviewers on earlier rounds
    round: int = 1
    tree: str = ""  # the head's tree id: results are bound to it
    mentions: Mapping[str, list[tuple[int, str]]] | None = (
        None  # lines of the base that may name what is gone; None: not looked
    )


class Reviewer(Protocol):
    """Reads a result and judges it. Fails closed: what it could not check is `incomplete`."""

    name: str

    def review(self, case: Case) -> Verdict: ...


class Proposal(NamedTuple):
    """A pull request as it should be. `base` "" is the default branch."""

    branch: str
    head: str
    title: str
    body: str  # Markdown, with what it was made from in its last line
    base: str = ""


class Pull(NamedTuple):
    """A pull request as the forge tells it (or, locally, a branch). `own`: the bot opened it; `withdrawn`: and closed it."""

    number: int | None
    url: str
    head: str
    state: Literal["open", "closed", "merged"]
    author: str = ""
    branch: str = ""
    body: str = ""
    own: bool = True
    withdrawn: bool = False


class Shown(NamedTuple):
    """What a review came to where it is shown: how many remarks it put onto lines and into its body, how many are fixed."""

    url: str = ""
    inline: int = 0
    listed: int = 0
    fixed: int = 0
    left: tuple[str, ...] = ()  # what a person edited, and is left alone


class Forge(Protocol):
    """Where results are shown, and where refs live. `local` has no pull requests: a branch is enough.

    Every method raises `errors.WorldError` where the forge doesn't do its part, `errors.Refused` where it says no; each
    can be called again after it was cut off, and then does what is missing.
    """

    name: str

    def transact(self, repo: Repo, work: Callable[[Repo], T]) -> T:
        """Runs `work` in a repository whose refs are the forge's, and then brings all that changed there, or nothing.

        Where others were quicker, `work` is run again on what they left: it must be safe to repeat.
        """
        ...

    def pull(self, branch: str) -> Pull | None:
        """The pull request of a head branch: an open one before the others, the newest before older ones."""
        ...

    def pulls(self) -> Sequence[Pull]:
        """The open ones of all branches `split-ci/…`."""
        ...

    def ensure_pull(self, proposal: Proposal) -> Pull:
        """Opened, or brought up to date. Refused where a person closed it, or where it is a stranger's."""
        ...

    def ensure_review(self, verdict: Verdict, lines: Mapping[str, tuple[range, ...]]) -> Shown:
        """One review for each head, with remarks on those `lines` (of the diff). Refused where the head has moved on."""
        ...

    def examine(self, needs: Needs) -> Iterable[Finding]:
        """What the forge's settings lack, for `doctor`. It only looks."""
        ...

    def close_pull(self, branch: str, word: str) -> Pull | None:
        """Closes the open one of a branch, with a word; None where there is none."""
        ...


class WorkflowRun(NamedTuple):
    """A run of a workflow, as the forge's own engine tells it."""

    id: int
    title: str
    status: str
    conclusion: str | None
    created_at: str
    url: str
    commit: str = ""  # the default branch's head, as the run began


class Artifact(NamedTuple):
    """A file that a run left, as a zip."""

    id: int
    name: str
    size_bytes: int
    expired: bool
    digest: str = ""  # `sha256:…` of the zip, where the forge says it


class Workflows(Protocol):
    """The forge's own engine: one run for each spec. Raises as `Forge` does."""

    def runs(self) -> Sequence[WorkflowRun]:
        """Those of the default branch that are in flight, whenever they began, and those of the last days."""
        ...

    def start(self, id_: str, digest: str, inputs: Mapping[str, str]) -> None:
        """One run for a generation, unless one is in flight by now. Returns once it is listed, or after a while."""
        ...

    def shown(self, head: str) -> bool:
        """Whether a commit has the status `split-ci/review`."""
        ...

    def succeeded(self, run: int) -> Mapping[int, Collection[str]]:
        """Each attempt at a run -> its jobs that ended well."""
        ...

    def artifacts(self, run: int) -> Sequence[Artifact]: ...

    def download(self, artifact: Artifact) -> bytes: ...
