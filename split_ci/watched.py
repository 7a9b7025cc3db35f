"""How far the criteria of one spec are, told to whoever watches."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from split_ci import criteria
from split_ci.ports import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from split_ci.results import CriterionResult, Execution
    from split_ci.spec import Criterion, Spec


class Watched:
    """Tells how far one spec is, as its commands begin and end: from their threads, and once for each criterion."""

    def __init__(self, spec: Spec, watch: Callable[[Event], None]) -> None:
        self._id = spec.id
        self._all = len(spec.accept)
        self._asked: set[str] = set()
        self._judged: dict[str, bool] = {}
        self._watch = watch
        self._lock = threading.RLock()

    def asks(self, criterion: Criterion) -> None:
        with self._lock:
            if criterion.id not in self._asked:
                self._asked.add(criterion.id)
                self._tell(f"{criterion.id} {criterion}")

    def judged(self, one: CriterionResult) -> None:
        with self._lock:
            if one.id not in self._judged:
                self._judged[one.id] = one.green is True and one.red is not False
                self._tell(one.reason)

    def follows(
        self, criterion: Criterion, on_base: Future[Execution], on_result: Future[Execution] | None, made: Sequence[str]
    ) -> None:
        """Tells of a criterion as soon as its commands have ended."""

        def ended(_: Future[Execution]) -> None:
            done = [future.done() and not future.cancelled() and not future.exception() for future in sides]
            if all(done):
                self.judged(criteria.judge_run(criterion, on_base.result(), on_result.result() if on_result else None, made))

        sides = [future for future in (on_base, on_result) if future]
        for future in sides:
            future.add_done_callback(ended)

    def _tell(self, detail: str) -> None:
        self._watch(Event(self._id, "criteria", detail, green=sum(self._judged.values()), criteria=self._all))
