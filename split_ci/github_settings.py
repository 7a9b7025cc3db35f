"""A repository's settings on GitHub, and what each that is missing breaks: values in, findings out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.examined import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

APP_ID = "SPLIT_CI_APP_ID"
APP_KEY = "SPLIT_CI_APP_KEY"
PAUSED = "SPLIT_CI_PAUSED"
PUBLISHER = "split-ci-publisher"
WORKFLOWS = ("split-ci-dispatch.yml", "split-ci-spec.yml", "split-ci-check.yml")
REFUSES = {  # a rule that holds for split-ci/** -> what it keeps the bot from
    "creation": "no branch of a result can be made",
    "update": "no second round, and no newer result, can be pushed",
    "deletion": "`drop` can't take a branch away",
    "non_fast_forward": "an edited spec can't replace its result",
    "required_signatures": "the bot's commits carry no signature, and are refused",
    "pull_request": "nothing can be pushed there, only merged",
    "required_status_checks": "nothing can be pushed there before its checks are green",
    "branch_name_pattern": "a branch may have to be called otherwise",
    "commit_message_pattern": "the bot's messages may be refused",
    "commit_author_email_pattern": "split-ci[bot]'s address may be refused",
    "committer_email_pattern": "split-ci[bot]'s address may be refused",
}


class Needs(NamedTuple):
    """What the configuration asks of the repository: names of secrets by environment, and the branch for lessons."""

    secrets: Mapping[str, Collection[str]] = {}
    coaching: str = "split-ci/coaching"


class Environment(NamedTuple):
    """`branches` are the names and patterns that may use it; None is any. `secrets` None: they can't be seen."""

    name: str
    branches: tuple[str, ...] | None
    reviewers: bool = False
    secrets: frozenset[str] | None = None


class Settings(NamedTuple):
    """What GitHub tells of a repository; None is what this token doesn't see."""

    name: str
    url: str  # of its page
    branch: str  # the default one
    private: bool
    archived: bool
    pushes: bool | None  # whether the token may
    installation: bool  # a token of an App's, GITHUB_TOKEN among them
    enabled: bool | None = None  # Actions
    allowed: str | None = None  # all | local_only | selected
    opens_pulls: bool | None = None  # whether Actions may open pull requests
    default_rights: str | None = None  # read | write
    app: bool | None = None  # whether the variable is set
    paused: bool | None = None
    environments: tuple[Environment, ...] | None = None
    secrets: frozenset[str] | None = None  # the repository's own
    workflows: Mapping[str, str] | None = None  # file name -> state
    protected: bool | None = None  # the default branch
    rules: tuple[str, ...] | None = None  # on the default branch
    bot_rules: tuple[str, ...] | None = None  # on split-ci/**

    def page(self, path: str) -> str:
        return f"{self.url}/settings/{path}"


def findings(settings: Settings, needs: Needs) -> Iterator[Finding]:
    """One line for each setting that matters."""
    yield _repository(settings)
    yield _token(settings)
    yield _actions(settings)
    yield _pulls(settings)
    yield _app(settings)
    yield _rights(settings)
    yield from _workflows(settings)
    for name, secrets in needs.secrets.items():
        yield _environment(settings, name, secrets)
    if settings.app:
        yield _environment(settings, PUBLISHER, (APP_KEY,))
    yield _default_branch(settings, needs)
    yield _bot_branches(settings)


def _repository(settings: Settings) -> Finding:
    kind = "private" if settings.private else "public"
    if settings.archived:
        return Finding("github", "fail", f"{settings.name} is archived: nothing can be pushed", settings.page(""))
    return Finding("github", "ok", f"{settings.name} ({kind}), default branch {settings.branch}")


def _token(settings: Settings) -> Finding:
    kind = "an App's installation (or GITHUB_TOKEN)" if settings.installation else "a person"
    if settings.pushes is False:
        said = f"the token is of {kind} that may not push: publish, coach and record can't work with it"
        return Finding("token", "fail", said, "contents: write, pull-requests: write and statuses: write for that token")
    return Finding("token", "ok", f"of {kind}; in the workflows each job asks for its own rights")


def _unseen(name: str, what: str, where: str) -> Finding:
    """A setting that this token may not read."""
    return Finding(name, "warn", f"{what}: this token doesn't see it (an administrator's does)", where)


def _actions(settings: Settings) -> Finding:
    page = settings.page("actions")
    if settings.enabled is None:
        return _unseen("actions", "whether Actions may run here", page)
    if not settings.enabled:
        return Finding("actions", "fail", "Actions are off: no workflow runs", f"{page}: allow actions")
    if settings.allowed == "local_only":
        return Finding(
            "actions", "fail", "only this owner's actions may run: not actions/checkout", f"{page}: allow GitHub's"
        )
    if settings.allowed == "selected":
        return Finding("actions", "ok", "on; only selected actions may run: those of `actions/` have to be among them")
    return Finding("actions", "ok", "on")


def _pulls(settings: Settings) -> Finding:
    page = f"{settings.page('actions')}, Workflow permissions: `Allow GitHub Actions to create and approve pull requests`"
    if settings.app:
        return Finding("pull requests", "ok", f"opened by an App ({APP_ID} is set), whatever Actions may do")
    if settings.opens_pulls is None:
        return _unseen("pull requests", "whether Actions may open pull requests", page)
    if not settings.opens_pulls:
        said = "Actions may not open pull requests: publish and coach end with 403, and results stay branches"
        return Finding("pull requests", "fail", said, f"{page} (where it is grey, the organisation's settings first)")
    return Finding("pull requests", "ok", "Actions may open them")


def _app(settings: Settings) -> Finding:
    page = f"{settings.page('variables/actions')}: {APP_ID}; docs/github.md says what the App needs"
    if settings.app is None:
        return _unseen("identity of the bot", f"the variable {APP_ID}", page)
    if settings.app:
        return Finding("identity of the bot", "ok", "an App: your own checks start by themselves on its pull requests")
    said = (
        "GITHUB_TOKEN: your own checks on the bot's pull requests wait until somebody approves them (on GitHub Enterprise "
        "Server they don't start); split-ci's criteria and review don't need them. With an App's token they start at once"
    )
    return Finding("identity of the bot", "ok", said)


def _rights(settings: Settings) -> Finding:
    page = f"{settings.page('actions')}, Workflow permissions: read"
    if settings.default_rights is None:
        return _unseen("default rights", "what GITHUB_TOKEN may do where a workflow doesn't say", page)
    if settings.default_rights == "write":
        said = "a workflow that says nothing may write: split-ci's say what they need, others may not"
        return Finding("default rights", "warn", said, page)
    return Finding("default rights", "ok", "a workflow that says nothing may only read")


def _workflows(settings: Settings) -> Iterator[Finding]:
    page = f"{settings.url}/actions"
    if settings.workflows is None:
        yield _unseen("workflows", "which workflows GitHub knows", page)
        return
    lacking = [name for name in WORKFLOWS if name not in settings.workflows]
    off = {name: settings.workflows[name] for name in WORKFLOWS if settings.workflows.get(name, "active") != "active"}
    if lacking:
        said = f"{', '.join(lacking)} not on the default branch: nothing is dispatched from here"
        yield Finding("workflows", "warn", said, "split-ci init, commit and push")
    for name, state in off.items():
        why = "GitHub does that after 60 days without a commit" if state == "disabled_inactivity" else f"GitHub says {state}"
        yield Finding("workflows", "fail", f"{name} is off: {why}", f"{page}/workflows/{name}: enable it")
    if not lacking and not off:
        yield Finding("workflows", "ok", "all three are there")
    if settings.paused:
        said = f"{PAUSED} is set: nothing new is started"
        yield Finding("workflows", "warn", said, f"{settings.page('variables/actions')}: delete {PAUSED}")


def _environment(settings: Settings, name: str, secrets: Collection[str]) -> Finding:
    """One environment: it holds the secrets, and only the default branch may use it."""
    title, page = f"environment {name}", settings.page("environments")
    wanted = ", ".join(secrets)
    if settings.environments is None:
        return _unseen(title, f"whether {wanted} is kept from other branches", page)
    found = next((each for each in settings.environments if each.name == name), None)
    everywhere = [secret for secret in secrets if secret in (settings.secrets or ())]
    if found is None:
        plan = (
            ". On a private repository of the Free plan there are no secrets in environments, and this control doesn't exist"
            if settings.private else ""
        )  # fmt: skip
        state = "is a secret of the repository" if everywhere else "has to be one of the repository's secrets"
        said = f"it isn't there: {wanted} {state}, which a workflow on any branch can read{plan}"
        return Finding(title, "warn", said, f"{page}: New environment, with {wanted}, for the branch {settings.branch}")
    return _held(settings, found, [each for each in secrets if each not in everywhere], wanted) or Finding(
        title, "ok", f"{wanted}, for the branch {settings.branch} alone"
    )


def _held(settings: Settings, found: Environment, own: Collection[str], wanted: str) -> Finding | None:
    """What is wrong with an environment that is there."""
    title, page = f"environment {found.name}", settings.page("environments")
    lacking = [
        each for each in own if found.secrets is not None and settings.secrets is not None and each not in found.secrets
    ]
    if lacking:
        said = f"{', '.join(lacking)} is neither among its secrets nor the repository's: the job ends without a key"
        return Finding(title, "fail", said, f"{page}: Add environment secret")
    limited = _limited(settings, found, wanted)
    if limited is not None:
        return limited
    if found.reviewers:
        said = "it asks for a reviewer: every run waits until somebody approves it"
        return Finding(title, "warn", said, f"{page}: Required reviewers")
    if len(own) < len(wanted.split(", ")):
        said = f"{wanted} is a secret of the repository, too: a workflow on any branch can read it there"
        return Finding(title, "warn", said, f"{settings.page('secrets/actions')}: delete it")
    return None


def _limited(settings: Settings, found: Environment, wanted: str) -> Finding | None:
    """What is wrong with the branches that may use an environment."""
    title, page = f"environment {found.name}", f"{settings.page('environments')}: Deployment branches and tags"
    if found.branches is None:
        said = f"any branch may use it: whoever may push a branch can read {wanted}"
        return Finding(title, "warn", said, f"{page}: {settings.branch}")
    if settings.branch not in found.branches:
        said = f"{settings.branch} may not use it: the job is refused"
        return Finding(title, "fail", said, f"{page}: {settings.branch}")
    others = [each for each in found.branches if each != settings.branch]
    if others:
        return Finding(title, "warn", f"{', '.join(others)} may use it, too", f"{page}: {settings.branch} alone")
    return None


def _default_branch(settings: Settings, needs: Needs) -> Finding:
    page = settings.page("rules")
    title = f"branch {settings.branch}"
    if settings.protected is None and settings.rules is None:
        return _unseen(title, "which rules hold for it", page)
    reviewed = "pull_request" in (settings.rules or ())
    if reviewed and needs.coaching == settings.branch:
        said = f"changes have to come by pull request, and `coaching.branch` is {settings.branch}: coach can't push"
        return Finding(title, "fail", said, "coaching: {branch: split-ci/coaching}")
    if not reviewed and not settings.protected:
        plan = " (a private repository of the Free plan can't have such rules)" if settings.private else ""
        said = f"no rule holds for it: who may push can change specs, lessons and workflows unseen{plan}"
        return Finding(title, "warn", said, f"{page}: a pull request and an approval; CODEOWNERS for specs/coaching/")
    return Finding(title, "ok", "changes come by pull request" if reviewed else "is protected")


def _bot_branches(settings: Settings) -> Finding:
    title, page = "branches split-ci/**", settings.page("rules")
    if settings.bot_rules is None:
        return _unseen(title, "which rules hold for them", page)
    found = [f"{rule}: {REFUSES[rule]}" for rule in settings.bot_rules if rule in REFUSES]
    if found:
        return Finding(
            title, "fail", "; ".join(found), f"{page}: leave refs/heads/split-ci/** out, or let the bot bypass it"
        )
    return Finding(title, "ok", "no rule keeps the bot from them")
