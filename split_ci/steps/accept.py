"""Accept: runs the criteria of specs on their base and on their result, in clean checkouts, and judges what they say."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from split_ci import criteria
from split_ci.checkout import Pool
from split_ci.errors import WorldError
from split_ci.frozen import frozen_paths, is_frozen
from split_ci.partial_clone import ensure_whole
from split_ci.prepare import Preparations, Prepared, place
from split_ci.proc import Caps, Stopped
from split_ci.results import CriterionResult, Execution, Results
from split_ci.sandbox import Bind, Sandbox, choose, environment
from split_ci.search import Searcher, TooSlow
from split_ci.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from typing import Self

    from split_ci.changeset import Changeset
    from split_ci.git import Objects, Repo
    from split_ci.ports import Event, Tree
    from split_ci.settings import Config
    from split_ci.spec import Criterion, Spec

    Watch = Callable[[Event], None]
    Side = tuple[str, str, float]  # commit, command, seconds that it may take

NOTHING_RAN = Sandbox("none", facts={"reason": "no criterion runs a command"})


class Candidate(NamedTuple):
    """What is judged: a spec's result (None: only its base), as commits; `changeset` is the digest of what the result
    was built from.
    """

    spec: Spec
    base: str
    result: str | None = None
    tree: str = ""
    changeset: str = ""


def accept(
    repo: Repo,
    candidates: Sequence[Candidate],
    *,
    config: Config,
    git_dir: str | None = None,
    pool: Pool | None = None,
    sandbox: Sandbox | None = None,
    jobs: int | None = None,
    twice: bool = False,
    watch: Watch = lambda _: None,
) -> list[Results]:
    """The results of each candidate, in their order. `git_dir` is the quarantine that holds the results' commits.

    `jobs` specs at a time, each on its base and its result at once. A command that several specs run on one base runs there
    once. `twice` runs what is green on a result again, and says `flaky` where the answers differ. Raises WorldError
    where the
    sandbox that the configuration requires doesn't work, before anything runs.
    """
    with Acceptance(
        repo, config=config, git_dir=git_dir, pool=pool, sandbox=sandbox, jobs=jobs, twice=twice, watch=watch
    ) as acceptance:
        return acceptance.judge(candidates)


class Acceptance:
    """Criteria at work, for as many candidates as come, from any thread; what a base says is kept until the end.

    `expect` begins a base's commands before there is a result, so that they run while a model thinks.
    """

    def __init__(
        self,
        repo: Repo,
        *,
        config: Config,
        git_dir: str | None = None,
        pool: Pool | None = None,
        sandbox: Sandbox | None = None,
        jobs: int | None = None,
        twice: bool = False,
        watch: Watch = lambda _: None,
    ) -> None:
        self._repo = repo
        self._config = config
        self._git_dir = git_dir
        self._pool = pool
        self._box = sandbox
        self._workers = 2 * (jobs or config.limits.parallel)
        self._twice = twice
        self._watch = watch
        self._stack = ExitStack()
        self._lock = threading.RLock()  # around what reads trees and around what is begun
        self._opened: tuple[_Trees, Searcher] | None = None
        self._commands: _Commands | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def expect(self, spec: Spec, base: str) -> None:
        """A result of this spec on this base will be judged: what its criteria run on the base begins now."""
        with self._lock:
            _start(Candidate(spec, base), self._commands_for([spec]), self._config)

    def objection(self, spec: Spec, base: str) -> str:
        """Why no result can pass, as far as is known by now: a criterion that the base proves wrong. Never waits."""
        candidate = Candidate(spec, base)
        with self._lock:
            begun = _start(candidate, self._commands_for([spec]), self._config)
            made = criteria.made_by(spec)
            for criterion in spec.accept:
                if criterion.id in begun:
                    on_base = begun[criterion.id][0]
                    if not on_base.done() or on_base.cancelled() or on_base.exception():
                        continue
                    one = criteria.judge_run(criterion, on_base.result(), None, made)
                else:
                    one = _judge_trees(criterion, candidate, *self._trees(), self._config)
                if one.red is False:
                    return f"{one.id} is wrong on the base already: {one.reason}"
        return ""

    def judge(self, candidates: Sequence[Candidate]) -> list[Results]:
        """The results of each candidate, in their order. Raises WorldError before anything runs."""
        with self._lock:
            commands = self._commands_for([one.spec for one in candidates])
            watched = [Watched(one.spec, self._watch) for one in candidates]
            started = [_start(one, commands, self._config, seen) for one, seen in zip(candidates, watched, strict=True)]
        return [self._judge(one, begun, seen) for one, begun, seen in zip(candidates, started, watched, strict=True)]

    def _judge(self, candidate: Candidate, begun: Begun, watched: Watched) -> Results:
        spec = candidate.spec
        made = criteria.made_by(spec)
        judged = []
        for criterion in spec.accept:
            if criterion.id in begun:
                on_base, on_result = begun[criterion.id]
                one = criteria.judge_run(criterion, on_base.result(), on_result.result() if on_result else None, made)
            else:
                watched.asks(criterion)
                with self._lock:
                    one = _judge_trees(criterion, candidate, *self._trees(), self._config)
            judged.append(one)
            watched.judged(one)
        box = self._box if begun and self._box else NOTHING_RAN
        return Results(
            spec.id, spec.digest, candidate.base, candidate.tree, candidate.changeset, tuple(judged), box.as_json()
        )  # fmt: skip

    def _trees(self) -> tuple[_Trees, Searcher]:
        if self._opened is None:
            objects = self._stack.enter_context(self._repo.objects(git_dir=self._git_dir))
            self._opened = _Trees(self._repo, objects), self._stack.enter_context(Searcher())
        return self._opened

    def _commands_for(self, specs: Sequence[Spec]) -> _Commands | None:
        """Whoever runs commands, made at the first that there is."""
        if self._commands is None and any(c.kind == "run" for spec in specs for c in spec.accept):
            self._box = self._box or choose(self._config.sandbox)
            self._pool = self._pool or self._stack.enter_context(Pool(self._repo))
            theirs = _Trees(self._repo, self._stack.enter_context(self._repo.objects(git_dir=self._git_dir)))
            commands = _Commands(
                self._pool, theirs, self._box, self._config, self._git_dir, self._workers, twice=self._twice
            )
            self._commands = self._stack.enter_context(commands)
        return self._commands


def judge_base(
    repo: Repo,
    specs: Sequence[Spec],
    base: str,
    config: Config,
    *,
    sandbox: Sandbox | None = None,
    jobs: int | None = None,
    watch: Watch = lambda _: None,
) -> dict[str, tuple[CriterionResult, ...]]:
    """What the criteria say on the base alone: red first. By spec id; `code` names the problem of `check --prove`."""
    found = accept(repo, [Candidate(spec, base) for spec in specs], config=config, sandbox=sandbox, jobs=jobs, watch=watch)
    return {results.id: results.criteria for results in found}


def put_back(changeset: Changeset, spec: Spec, tree: Tree) -> Changeset:
    """The changeset without what a model did to frozen paths: those are judged as they were. The gate refuses them
    anyway.
    """
    written = [c.path for c in changeset.changes if c.by == "exact"]
    frozen = frozen_paths(spec, written, lambda path: tree.entry(path) is not None)
    return changeset._replace(
        changes=tuple(c for c in changeset.changes if c.by != "model" or not is_frozen(c.path, frozen, spec))
    )


Begun = dict[str, tuple["Future[Execution]", "Future[Execution] | None"]]


def _start(
    candidate: Candidate, commands: _Commands | None, config: Config, watched: Watched | None = None
) -> Begun:  # fmt: skip
    """Queues every command of a candidate, on its base and on its result."""
    made = criteria.made_by(candidate.spec) if watched else ()
    minutes = candidate.spec.limits.minutes
    seconds = 60 * (config.limits.minutes if minutes is None else min(minutes, config.limits.minutes))
    begun: Begun = {}
    for criterion in candidate.spec.accept:
        if criterion.kind == "run" and commands is not None:
            begins = partial(watched.asks, criterion) if watched else _unseen
            on_base = commands.on_base((candidate.base, criterion.subject, seconds), begins)
            result = candidate.result
            on_result = commands.on_result((result, criterion.subject, seconds), begins) if result else None
            begun[criterion.id] = (on_base, on_result)
            if watched:
                watched.follows(criterion, on_base, on_result, made)
    return begun


def _judge_trees(
    criterion: Criterion, candidate: Candidate, trees: _Trees, searcher: Searcher, config: Config
) -> CriterionResult:
    def holds(commit: str | None) -> bool | None:
        if commit is None:
            return None
        return criteria.holds(criterion, trees.of(commit), specs=config.specs, search=searcher.search)

    try:
        return criteria.judge_trees(criterion, holds(candidate.base), holds(candidate.result))
    except TooSlow as error:
        red = None if criterion.guard else False
        return CriterionResult(
            criterion.id, str(criterion), red, green=False, seconds=0.0, reason=error.message, code="SP505"
        )


def _unseen() -> None:
    """Nobody watches."""


class _Trees:
    """The trees of commits, each read once. One thread at a time."""

    def __init__(self, repo: Repo, objects: Objects) -> None:
        self._repo = repo
        self._objects = objects
        self._trees: dict[str, Tree] = {}
        self._epochs: dict[str, int] = {}

    def of(self, commit: str) -> Tree:
        if commit not in self._trees:
            self._trees[commit] = self._repo.tree(commit, self._objects)
        return self._trees[commit]

    def epoch(self, commit: str) -> int:
        """When a commit was made: seconds since 1970."""
        if commit not in self._epochs:
            read = self._objects.read(commit)
            if read is None or read[1] != "commit":
                raise WorldError(f"{commit} is no commit here")
            head = read[2].partition(b"\n\n")[0]
            line = next((line for line in head.splitlines() if line.startswith(b"committer ")), b"")
            self._epochs[commit] = int(line.split()[-2])
        return self._epochs[commit]


class _Commands:
    """Runs commands on commits, several at a time; what many ask of one base is done once."""

    def __init__(
        self, pool: Pool, trees: _Trees, box: Sandbox, config: Config, git_dir: str | None, workers: int, *, twice: bool
    ) -> None:  # fmt: skip
        self._pool = pool
        self._trees = trees
        self._box = box
        self._config = config
        self._git_dir = git_dir
        self._twice = twice
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._shared: dict[Side, Future[Execution]] = {}
        self._preparations = Preparations(pool.repo, pool, box, config)
        self._keys = [model.key for model in config.models.values() if model.key]
        self._threads = ThreadPoolExecutor(workers)
        self._env(0, "/")  # a name that may not pass is refused before anything runs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._threads.shutdown(cancel_futures=True)

    def on_base(self, side: Side, begins: Callable[[], None]) -> Future[Execution]:
        if side not in self._shared:
            if all(commit != side[0] for commit, _, _ in self._shared):
                ensure_whole(self._pool.repo, side[0])
            self._shared[side] = self._threads.submit(self._run, side, begins, twice=False)
        return self._shared[side]

    def on_result(self, side: Side, begins: Callable[[], None]) -> Future[Execution]:
        return self._threads.submit(self._run, side, begins, twice=self._twice)

    def _run(self, side: Side, begins: Callable[[], None], *, twice: bool) -> Execution:
        begins()
        done = self._once(side)
        if not twice or done.exit != 0:
            return done
        again = self._once(side)
        if again.exit == done.exit:
            return done
        why = again.fault or again.cap or f"exit {again.exit}"
        return again._replace(exit=None, fault=f"flaky: green once, then {why}")

    def _once(self, side: Side) -> Execution:
        commit, command, seconds = side
        try:
            epoch = self._epoch(commit)
            prepared = self._prepared(commit, epoch)
            if prepared.fault:
                return Execution(None, 0.0, fault=prepared.fault)
            with self._pool.checkout(commit, git_dir=self._git_dir, homes=self._box.kind == "none") as checkout:
                env = self._env(epoch, self._box.place(checkout.folder))
                fault = self._preparations.here(checkout, env)
                if fault:
                    return Execution(None, 0.0, fault=fault)
                binds = [*(Bind(store, store) for store in checkout.stores), *place(prepared, checkout.folder)]
                return self._box.run(
                    command, folder=checkout.folder, env=env, caps=Caps(seconds=seconds), binds=binds, stop=self._stop
                )
        except Stopped:
            raise
        except WorldError as error:
            return Execution(None, 0.0, fault=f"environment: {error.message}")

    def _prepared(self, commit: str, epoch: int) -> Prepared:
        if not self._config.prepare:
            return Prepared()
        with self._lock:
            tree = self._trees.of(commit)
            tree.paths()
        return self._preparations.of(commit, tree, git_dir=self._git_dir, env=self._env(epoch, self._box.place("")))

    def _epoch(self, commit: str) -> int:
        with self._lock:
            return self._trees.epoch(commit)

    def _env(self, epoch: int, place: str) -> Mapping[str, str]:
        none = self._box.kind == "none"
        private = (
            {"home": os.path.join(os.path.dirname(place), "home"), "temporary": os.path.join(os.path.dirname(place), "tmp")}
            if none
            else {}
        )
        return environment(
            path=self._config.path, names=self._config.env, keys=self._keys, epoch=epoch, place=place, **private
        )
