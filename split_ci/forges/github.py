"""GitHub as a forge: refs live at `origin`, and a result is shown as a pull request.

Every method looks first and makes what is missing, so that one that was cut off can be called again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from split_ci.errors import Refused, WorldError
from split_ci.forges.github_client import Client, Pace
from split_ci.forges.github_errors import field
from split_ci.forges.github_look import look
from split_ci.forges.github_place import find_place
from split_ci.forges.github_review import Reviewed
from split_ci.forges.remote import Remote
from split_ci.forges.workspace import transact
from split_ci.github_settings import findings
from split_ci.ports import Pull
from split_ci.pull_state import is_edited, read_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from split_ci.config import Config
    from split_ci.examined import Finding
    from split_ci.forges.github_place import GitHubPlace
    from split_ci.git import Repo
    from split_ci.github_settings import Needs
    from split_ci.ports import Proposal, Shown, T
    from split_ci.verdict import Verdict

WITHDRAWN = "<!-- split-ci-withdrawn -->"
PREFIX = "split-ci/"
ACTIONS = "github-actions[bot]"  # whom GITHUB_TOKEN speaks as


class GitHub:
    """A `ports.Forge` over GitHub's REST API and git."""

    name = "github"

    def __init__(self, place: GitHubPlace, coaching: str = "split-ci/coaching", pace: Pace = Pace()) -> None:  # noqa: B008
        self.client = Client(place, pace)
        self._place = place
        self._coaching = coaching
        self._login: str | None = None
        self._default = ""

    def transact(self, repo: Repo, work: Callable[[Repo], T]) -> T:
        """`work` on the remote's refs, and one push of all that it changed."""
        place = self._place
        remote = Remote(place.url, place.token, show_token=place.shows_git_the_token)
        return transact(repo, remote, work, () if self._coaching.startswith(PREFIX) else (self._coaching,))

    def pull(self, branch: str) -> Pull | None:
        """The pull request of a head branch: open before closed, the bot's before a stranger's, the newest first."""
        found = [self._read(each) for each in self._listed(branch, "all")]
        found.sort(key=lambda one: (one.state != "open", not one.own, -(one.number or 0)))
        if not found:
            return None
        chosen = found[0]
        return chosen._replace(withdrawn=self._is_withdrawn(chosen)) if chosen.state == "closed" else chosen

    def pulls(self) -> list[Pull]:
        """The open ones of all branches `split-ci/…` of this repository."""
        found = self.client.pages("pulls", state="open", sort="created", direction="asc")
        return [self._read(each) for each in found if self._is_here(each) and each["head"]["ref"].startswith(PREFIX)]

    def ensure_pull(self, proposal: Proposal) -> Pull:
        """Opened, or brought up to date; a person's edit of its text is left as it is."""
        found = self.pull(proposal.branch)
        if found is not None and found.state == "closed" and found.own and _is_closed_to(found, proposal):
            raise Refused(
                f"{found.url} was closed by a person: it is left closed until the spec changes",
                hint=f"reopen it, or: split-ci drop {proposal.branch.removeprefix(PREFIX)}",
            )
        if found is None or found.state != "open":
            found = self.client.ensure(lambda: self._open(proposal.branch), lambda: self._create(proposal))
        if not found.own:
            raise Refused(
                f"{found.url} is {found.author}'s, not the bot's: it is left alone", hint="close it, and publish again"
            )
        return self._updated(found, proposal)

    def ensure_review(self, verdict: Verdict, lines: Mapping[str, tuple[range, ...]]) -> Shown:
        """One review for each head of the bot's own pull request."""
        pull = self.pull(f"{PREFIX}{verdict.id}")
        if pull is None or pull.number is None:
            raise Refused(f"there is no pull request of {PREFIX}{verdict.id}", hint="split-ci publish")
        if not pull.own:
            raise Refused(
                f"{pull.url} is {pull.author}'s, not the bot's: it is left alone", hint="close it, and publish again"
            )
        return Reviewed(self.client, pull.number, verdict, lambda user: self.spoke(user, pull)).ensure(lines)

    def examine(self, needs: Needs) -> list[Finding]:
        """The settings of the repository, as far as the token sees them."""
        return list(findings(look(self.client), needs))

    def close_pull(self, branch: str, word: str) -> Pull | None:
        """Closed with a comment that says why. What a person opened or merged stays as it is."""
        found = self.pull(branch)
        if found is None or not found.own or found.state == "merged" or (found.state == "closed" and found.withdrawn):
            return found
        path = f"issues/{found.number}/comments"
        self.client.ensure(
            lambda: True if self._is_withdrawn(found) else None,
            lambda: bool(self.client.post(path, {"body": f"{word}\n\n{WITHDRAWN}"})),
        )
        if found.state == "open":
            self.client.patch(f"pulls/{found.number}", {"state": "closed"})
        return found._replace(state="closed", withdrawn=True)

    def default_branch(self) -> str:
        """The branch that results are to be merged into."""
        if not self._default:
            repository = self.client.get("")
            self._default = field(repository, "default_branch", str)
            self.client.full_name = field(repository, "full_name", str)  # it may have been renamed: lists ask for the owner
        return self._default

    def is_own(self, user: object) -> bool:
        """Whether somebody is the bot: an app's user, or whom the token belongs to. What a text says is no proof."""
        if not isinstance(user, dict):
            return False
        if user.get("type") == "Bot":
            return True
        if self._login is None:
            try:
                self._login = field(self.client.get("/user"), "login", str)
            except WorldError:
                self._login = ""  # an App's token is nobody's
        return bool(self._login) and user.get("login") == self._login

    def spoke(self, user: object, pull: Pull) -> bool:
        """Whether a comment is the bot's: other Apps are bots as well, and some repeat whatever they are told."""
        if not isinstance(user, dict) or not self.is_own(user):
            return False
        return user.get("type") != "Bot" or user.get("login") in (ACTIONS, pull.author)

    def _listed(self, branch: str, state: str) -> list[dict[str, Any]]:
        self.default_branch()
        owner = self.client.full_name.partition("/")[0]
        found = self.client.pages("pulls", head=f"{owner}:{branch}", state=state)
        return [each for each in found if self._is_here(each) and each["head"]["ref"] == branch]

    def _open(self, branch: str) -> Pull | None:
        found = [self._read(each) for each in self._listed(branch, "open")]
        return min(found, key=lambda one: (not one.own, -(one.number or 0)), default=None)

    def _is_here(self, value: Mapping[str, Any]) -> bool:
        """Whether a pull request's branch is this repository's, and not one of that name in a fork."""
        head, base = value.get("head"), value.get("base")
        if not isinstance(head, dict) or not isinstance(base, dict) or not isinstance(head.get("ref"), str):
            raise WorldError("GitHub: a pull request without its branches", again=True)
        ours, theirs = base.get("repo"), head.get("repo")
        return isinstance(ours, dict) and isinstance(theirs, dict) and ours.get("id") == theirs.get("id")

    def _read(self, value: Mapping[str, Any]) -> Pull:
        number, user, head = value.get("number"), value.get("user"), value.get("head")
        if not isinstance(number, int) or not isinstance(head, dict):
            raise WorldError("GitHub: a pull request without its number or its branch", again=True)
        merged = bool(value.get("merged_at"))
        body = value.get("body")
        return Pull(
            number=number, url=field(value, "html_url", str), head=field(head, "sha", str), branch=field(head, "ref", str),
            state="merged" if merged else "open" if value.get("state") == "open" else "closed",
            author=_login(user), body=body if isinstance(body, str) else "",
            own=self.is_own(user),
        )  # fmt: skip

    def _create(self, proposal: Proposal) -> Pull:
        base = proposal.base or self.default_branch()
        value = {"title": proposal.title, "body": proposal.body, "head": proposal.branch, "base": base}
        return self._read(self.client.post("pulls", value))

    def _updated(self, pull: Pull, proposal: Proposal) -> Pull:
        was, now = read_state(pull.body), read_state(proposal.body)
        if pull.body == proposal.body or was is None or now is None or is_edited(pull.body):
            return pull
        if (was.digest, was.head) == (now.digest, now.head) and was.round > now.round:
            return pull  # an older run that was started again
        fields = {"body": proposal.body}
        if was.digest != now.digest:
            fields["title"] = proposal.title
        return self._read(self.client.patch(f"pulls/{pull.number}", fields))

    def _is_withdrawn(self, pull: Pull) -> bool:
        """Whether it was closed by `drop`, which says so in a comment: the bot's, or the one of who closed it."""
        found = self.client.pages(f"issues/{pull.number}/comments")
        users = [each.get("user") for each in found if WITHDRAWN in str(each.get("body"))]
        if not users or any(self.spoke(user, pull) for user in users):
            return bool(users)
        closer = self.client.get_object(f"issues/{pull.number}").get("closed_by")
        is_person = isinstance(closer, dict) and closer.get("type") == "User" and bool(_login(closer))
        return is_person and _login(closer) in map(_login, users)


def _is_closed_to(pull: Pull, proposal: Proposal) -> bool:
    """Whether a person closed it, and it was for what is proposed again (which can't be read: for anything)."""
    was, now = read_state(pull.body), read_state(proposal.body)
    return not pull.withdrawn and (was is None or now is None or was.digest == now.digest)


def _login(user: object) -> str:
    """A user's name; one whose account is gone has none."""
    found = user.get("login") if isinstance(user, dict) else None
    return found if isinstance(found, str) else ""


def make(repo: Repo, config: Config, env: Mapping[str, str]) -> GitHub:
    """The forge of a repository. Raises UsageError where the environment doesn't say which, or by which token."""
    return GitHub(find_place(repo, env), config.coaching.branch)
