"""GitHub's published OpenAPI description as the judge of the in-memory GitHub: see `make openapi`.

Without it nothing is judged; CI has it. `SPLIT_CI_OPENAPI` names another file.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.github.routes import Asked, Route, Said

ROOT = Path(__file__).parents[2]
FILE = ROOT / ".venv/openapi/node_modules/@octokit/openapi/generated/api.github.com.json"
NAME = "description"


def path() -> Path:
    return Path(os.environ.get("SPLIT_CI_OPENAPI") or FILE)


@cache
def description() -> dict[str, Any] | None:
    """The description, its schemas turned from OpenAPI 3.0's words into JSON Schema's; None where it isn't installed."""
    if not path().exists():
        return None
    loaded: dict[str, Any] = json.loads(path().read_text())
    return {"paths": _schema(loaded["paths"]), "components": _schema(loaded["components"])}


def _schema(value: Any) -> Any:
    """`nullable` is OpenAPI 3.0's; a property that is called so is not meant."""
    if isinstance(value, list):
        return [_schema(each) for each in value]
    if not isinstance(value, dict):
        return value
    made = {key: _schema(each) for key, each in value.items() if key not in ("example", "examples")}
    if value.get("nullable") is True:
        made.pop("nullable")
        return {"anyOf": [made, {"type": "null"}]}
    return made


@cache
def _registry() -> Any:
    from referencing import Registry
    from referencing.jsonschema import DRAFT4

    return Registry().with_resource(NAME, DRAFT4.create_resource(description() or {}))


@cache
def _judge(pointer: str) -> Any:
    from jsonschema import Draft4Validator

    return Draft4Validator({"$ref": f"{NAME}#{pointer}"}, registry=_registry())


@cache
def _operation(route: Route) -> tuple[str, dict[str, Any]] | None:
    """Where the description has this endpoint, whatever the parts of its path are called there."""
    found = description()
    assert found is not None
    for template, methods in found["paths"].items():
        if _parts(template) == _parts(route.template) and route.method.lower() in methods:
            return template, methods[route.method.lower()]
    return None


def _parts(template: str) -> list[str]:
    return ["{}" if part.startswith("{") else part for part in template.split("/")]


def request_faults(route: Route, asked: Asked) -> list[str]:
    """What of a request GitHub doesn't know."""
    if description() is None:
        return []
    found = _operation(route)
    if found is None:
        return [f"{route.method} {route.template}: GitHub has no such endpoint"]
    template, operation = found
    at = f"{route.method} {template}"
    known = {one["name"]: one["schema"] for one in map(_resolved, operation.get("parameters", [])) if one["in"] == "query"}
    faults = [f"{at}: no such parameter: {name}" for name in asked.query if name not in known]
    for name, value in asked.query.items():
        schema = _resolved(known.get(name, {}))
        if schema.get("type") == "integer" and not value.isdecimal():
            faults.append(f"{at}: {name}={value} is not a number")
        if "enum" in schema and value not in schema["enum"]:
            faults.append(f"{at}: {name}={value} is not one of {schema['enum']}")
    body = _resolved(operation.get("requestBody", {}))
    if body.get("required") or asked.body is not None:
        if "application/json" not in body.get("content", {}):
            return [*faults, f"{at}: it takes no body"]
        pointer = f"/paths/{_escaped(template)}/{route.method.lower()}/requestBody/content/application~1json/schema"
        properties = _resolved(body["content"]["application/json"]["schema"]).get("properties", {})
        unknown = [key for key in asked.body if key not in properties] if properties and isinstance(asked.body, dict) else []
        faults += [f"{at}: no such field: {key}" for key in unknown]
        faults += _faults(pointer, asked.body, at)
    return faults


def answer_faults(route: Route, said: Said) -> list[str]:
    """What of an answer GitHub wouldn't say."""
    if description() is None:
        return []
    found = _operation(route)
    if found is None:
        return []
    template, operation = found
    at = f"{route.method} {template} -> {said.status}"
    described = operation["responses"].get(str(said.status))
    if described is None:
        if said.status < 400:
            return [f"{at}: not an answer of this endpoint"]
        return _faults("/components/schemas/basic-error", said.body, at)  # those that any endpoint may give aren't listed
    if "application/json" not in _resolved(described).get("content", {}):
        return [] if said.body is None else [f"{at}: it has no body"]
    if "$ref" in described:
        pointer = described["$ref"].removeprefix("#")
    else:
        pointer = f"/paths/{_escaped(template)}/{route.method.lower()}/responses/{said.status}"
    return _faults(f"{pointer}/content/application~1json/schema", said.body, at)


def _resolved(value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        found: Any = description()
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        value = found
    return value


def _escaped(template: str) -> str:
    return template.replace("~", "~0").replace("/", "~1")


def _faults(pointer: str, value: Any, at: str) -> list[str]:
    errors = _judge(pointer).iter_errors(value)
    return [f"{at}: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in errors]
