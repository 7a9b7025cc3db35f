"""The endpoints' table: a function says which method and path it answers, and which permission that takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.github.world import Actor, World

DOCS = "https://docs.github.com/rest"


class Asked(NamedTuple):
    """One request, as an endpoint sees it."""

    world: World
    actor: Actor
    api: str  # where the API is, for the links in answers
    method: str
    path: str
    at: Mapping[str, str]  # the parts of the path
    query: Mapping[str, str]
    body: Any

    def field(self, name: str) -> Any:
        return self.body.get(name) if isinstance(self.body, dict) else None


class Said(NamedTuple):
    """What an endpoint answers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = {}


class Route(NamedTuple):
    method: str
    template: str
    pattern: re.Pattern[str]
    permission: str  # that writing takes; "" is none
    function: Callable[[Asked], Said]


class No(Exception):
    """An endpoint's refusal."""

    def __init__(self, said: Said) -> None:
        super().__init__(said)
        self.said = said


ROUTES: list[Route] = []


def route(method: str, template: str, permission: str = "") -> Callable[[Callable[[Asked], Said]], Callable[[Asked], Said]]:
    """Puts a function into the table. `{name}` is one part of the path, `{name+}` the rest of it."""
    pattern = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", template)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)

    def put(function: Callable[[Asked], Said]) -> Callable[[Asked], Said]:
        ROUTES.append(Route(method, template, re.compile(pattern + r"\Z"), permission, function))
        return function

    return put


def no(status: int, message: str, *errors: Mapping[str, str]) -> NoReturn:
    """Ends an endpoint with a refusal in GitHub's form."""
    body: dict[str, Any] = {"message": message, "documentation_url": DOCS, "status": str(status)}
    if errors:
        body["errors"] = [dict(error) for error in errors]
    raise No(Said(status, body))


def invalid(resource: str, **error: str) -> NoReturn:
    """422, as GitHub says which field is wrong, or why."""
    no(422, "Validation Failed", {"resource": resource, **error})


def page(asked: Asked, items: list[Any]) -> Said:
    """One page of a list, with the links to the others."""
    size = min(100, max(1, int(asked.query.get("per_page", "30"))))
    number = max(1, int(asked.query.get("page", "1")))
    last = max(1, -(-len(items) // size))
    headers = {}
    if number < last:
        rest = "&".join(f"{k}={v}" for k, v in asked.query.items() if k != "page")
        url = f"{asked.api}{asked.path}?{rest}{'&' if rest else ''}page="
        headers["Link"] = f'<{url}{number + 1}>; rel="next", <{url}{last}>; rel="last"'
    return Said(200, items[(number - 1) * size : number * size], headers)
