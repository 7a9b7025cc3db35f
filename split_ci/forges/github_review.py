"""A review on a pull request of GitHub: one for each head, remarks on lines, one summary, one status.

Every part is looked for before it is made, and the status comes last: where it stands, all the rest does. It comments;
there is no call here, or anywhere, that approves or merges.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from split_ci.errors import Refused
from split_ci.forges.github_errors import Invalid, field
from split_ci.markdown import code
from split_ci.ports import Shown
from split_ci.remarks import (
    CONTEXT,
    STATUS,
    Placed,
    digest_of,
    fixed_comment,
    place,
    remark_comment,
    remarks,
    review_comment,
    round_of,
    span,
    standing_of,
    status_words,
    summary_comment,
)
from split_ci.seal import unseal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from split_ci.forges.github_client import Client
    from split_ci.remarks import Remark, Standing
    from split_ci.verdict import Verdict

Lines = tuple[range, ...]


class Reviewed:
    """One verdict and the pull request that it is about. `mine` says of a user whether it is who the token is."""

    def __init__(self, client: Client, number: int, verdict: Verdict, mine: Callable[[Any], bool]) -> None:
        self._client = client
        self._number = number
        self._verdict = verdict
        self._mine = mine

    def ensure(self, lines: Mapping[str, Lines]) -> Shown:
        """Makes what is missing. Raises Refused where the pull request has moved on, WorldError."""

        def shown(path: str, line: int) -> bool:
            return any(line in part for part in lines.get(path, ()))

        self._same_head()
        placed = place(self._verdict, self._standing(), shown)
        review = self._review(placed, shown)
        left, fixed = self._mark()
        self._summary(review, fixed, left)
        self._status(review)
        return Shown(field(review, "html_url", str), len(placed.inline), len(placed.listed), fixed, tuple(left))

    def _same_head(self) -> None:
        """What is asked right after a push may be told as it was before."""
        for tried in range(self._client.pace.looks):
            if tried:
                time.sleep(self._client.pace.first_pause * 2**tried)
            pull = self._client.get(f"pulls/{self._number}")
            head = field(pull, "head.sha", str)
            if head == self._verdict.head:
                break
        else:
            now, was = head[:12], self._verdict.head[:12]
            raise Refused(
                f"pull request #{self._number} has moved on to {now}: a review of {was} is not posted",
                hint=f"split-ci review split-ci/{self._verdict.id}",
            )
        if field(pull, "state", str) == "closed" and not pull.get("merged_at"):
            raise Refused(f"pull request #{self._number} was closed: nothing is posted", hint="split-ci status")

    def _standing(self) -> list[Standing]:
        found = []
        for one in self._client.pages(f"pulls/{self._number}/comments"):
            if self._mine(one.get("user")) and not one.get("in_reply_to_id"):
                seen = one.get("line") is not None or one.get("position") is not None
                remark = standing_of(
                    _body(one),
                    id_=field(one, "id", int),
                    url=field(one, "html_url", str),
                    path=field(one, "path", str),
                    seen=seen,
                )
                found += [remark] if remark else []
        return found

    def _reviews(self) -> list[dict[str, Any]]:
        """The bot's reviews of this spec, the oldest first."""
        return [one for one in self._client.pages(f"pulls/{self._number}/reviews") if self._mine(one.get("user"))]

    def _review(self, placed: Placed, shown: Callable[[str, int], bool]) -> dict[str, Any]:
        review = self._client.ensure(self._review_or_none, lambda: self._post(placed, shown))
        sealed = unseal(_body(review))
        if sealed and sealed.intact and sealed.state.get("verdict") != digest_of(self._verdict):
            # the same head was reviewed anew: remarks on lines come with a review, and there is one for each head
            body = review_comment(self._verdict, place(self._verdict, self._standing(), _nowhere))
            return dict(self._client.put(f"pulls/{self._number}/reviews/{field(review, 'id', int)}", {"body": body}))
        return review

    def _review_or_none(self) -> dict[str, Any] | None:
        for one in self._reviews():
            sealed = unseal(_body(one))
            state = sealed.state if sealed else {}
            if (state.get("kind"), state.get("head"), state.get("id")) == ("review", self._verdict.head, self._verdict.id):
                return one
        return None

    def _post(self, placed: Placed, shown: Callable[[str, int], bool]) -> dict[str, Any]:
        """One review with its remarks, or, where GitHub knows one of the lines otherwise, all of them in its body."""
        value: dict[str, Any] = {"commit_id": self._verdict.head, "event": "COMMENT"}
        path = f"pulls/{self._number}/reviews"
        comments = [self._comment(remark, shown) for remark in placed.inline]
        try:
            posted = self._client.post(path, {**value, "body": review_comment(self._verdict, placed), "comments": comments})
        except Invalid:
            if not comments:
                raise
            placed = placed._replace(inline=(), listed=(*placed.inline, *placed.listed))
            posted = self._client.post(path, {**value, "body": review_comment(self._verdict, placed)})
        return dict(posted)

    def _comment(self, remark: Remark, shown: Callable[[str, int], bool]) -> dict[str, Any]:
        first, last = span(remark, shown)
        start = {"start_line": first, "start_side": "RIGHT"} if first < last else {}
        body = remark_comment(remark, self._verdict)
        return {"path": remark.finding.path, "line": last, "side": "RIGHT", "body": body, **start}

    def _mark(self) -> tuple[list[str], int]:
        """Marks what is fixed, and what is back. A line about each that a person edited, and how many are fixed."""
        standing = self._standing()
        placed = place(self._verdict, standing, _nowhere)
        left = []
        for old in placed.gone:
            if old.intact:
                self._edit(old, fixed_comment(old, self._verdict.head))
            else:
                left.append(f"A person edited [the remark on {code(old.path)}]({old.url}): it is left as it is.")
        for remark, old in placed.standing:
            if old.fixed and old.intact:
                self._edit(old, remark_comment(remark, self._verdict))
        found = {remark.key for remark in remarks(self._verdict)}
        fixed = {old.key for old in standing if old.fixed} | {old.key for old in placed.gone if old.intact}
        return left, len(fixed - found)

    def _edit(self, old: Standing, body: str) -> None:
        self._client.patch(f"pulls/comments/{old.id}", {"body": body})

    def _summary(self, review: Mapping[str, Any], fixed: int, left: Sequence[str]) -> None:
        """One comment, kept up to date. One that a person edited is theirs: a new one is begun."""
        summaries = self._summaries()
        edited = [one for one in summaries if not _intact(one)]
        left = [
            *left,
            *(
                f"A person edited [an earlier summary]({field(one, 'html_url', str)}): it is left as it is."
                for one in edited
            ),
        ]
        rounds = [found for one in self._reviews() if (found := round_of(_body(one), field(one, "html_url", str)))]
        now = round_of(_body(review), field(review, "html_url", str))
        others = [each for each in rounds if each.head != self._verdict.head]
        body = summary_comment(self._verdict, [*others, *([now] if now else [])], fixed, left)
        own = next((one for one in summaries if _intact(one)), None)
        if own is None:
            look = f"issues/{self._number}/comments"
            self._client.ensure(self._summary_or_none, lambda: self._client.post(look, {"body": body}))
        elif unseal(_body(own)) != unseal(body):
            self._client.patch(f"issues/comments/{field(own, 'id', int)}", {"body": body})

    def _summaries(self) -> list[dict[str, Any]]:
        found = []
        for one in self._client.pages(f"issues/{self._number}/comments"):
            sealed = unseal(_body(one)) if self._mine(one.get("user")) else None
            if sealed and (sealed.state.get("kind"), sealed.state.get("id")) == ("summary", self._verdict.id):
                found.append(one)
        return found

    def _summary_or_none(self) -> dict[str, Any] | None:
        return next((one for one in self._summaries() if _intact(one)), None)

    def _status(self, review: Mapping[str, Any]) -> None:
        wanted = {
            "context": CONTEXT, "state": STATUS[self._verdict.decision], "description": status_words(self._verdict),
            "target_url": field(review, "html_url", str),
        }  # fmt: skip
        path = f"statuses/{self._verdict.head}"
        self._client.ensure(lambda: self._status_or_none(wanted), lambda: self._client.post(path, wanted))

    def _status_or_none(self, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
        """The newest of its context, where it is as it should be."""
        for one in self._client.pages(f"commits/{self._verdict.head}/statuses"):
            if one.get("context") == CONTEXT:
                return one if all(one.get(key) == value for key, value in wanted.items()) else None
        return None


def _body(value: Mapping[str, Any]) -> str:
    """The text of a comment or a review; "" where it has none."""
    return value["body"] if isinstance(value.get("body"), str) else ""


def _nowhere(path: str, line: int) -> bool:  # noqa: ARG001 - nothing more goes onto lines
    return False


def _intact(comment: Mapping[str, Any]) -> bool:
    sealed = unseal(_body(comment))
    return sealed is not None and sealed.intact
