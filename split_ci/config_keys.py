"""What each key of `.split-ci.yaml` may hold. `schemas/config.schema.json` says the same; a test holds them equal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from split_ci.config_yaml import Item, fault, read_items
from split_ci.settings import Coaching, Config, Limits, ModelConfig, Price

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Read = Callable[[Item, str], Any]

# Patterns stay text until a key asks for one: compiling them all would cost every hook.
NAME = r"[a-z0-9][a-z0-9_.-]{0,62}\Z"
KEY_NAME = r"[A-Z][A-Z0-9_]{0,63}\Z"
VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,254}\Z"
BRANCH = r"(?!-)(?!.*(?:\.\.|//|/\.|@\{|\.lock(?:/|\Z)))[A-Za-z0-9_][A-Za-z0-9_./-]*(?<![./])\Z"
KEY_MARKS = ("sk-", "gh", "glpat-", "xox", "AIza", "AKIA", "ASIA", "hf_", "gsk_")
LITERAL_KEY = (
    r"(?a)\b(?:sk-[\w-]{8}|gh[pousr]_\w{8}|github_pat_\w{8}|glpat-[\w-]{8}|xox[abprs]-\w|AIza[\w-]{20}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}\b|hf_\w{16}|gsk_\w{8})"
)
UNFIT = r"(?i)KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|COOKIE|SESSION|(?:\A|_)PAT(?:_|\Z)|\A(?:GIT|SSH|GPG|ACTIONS)_"
LOOPBACK = r"localhost\Z|127(?:\.\d{1,3}){3}\Z|::1\Z"
SHOWN_DIGITS = 20
NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?\Z"
RESERVED = ("exact", "rules", "local")
KNOWN_AGENTS = ("aider", "claude", "codex", "goose", "mini-swe-agent", "opencode")


def fill(default: Config, data: bytes) -> Config:
    """The default with what the file says. Raises UsageError for the first key that is wrong."""
    items = read_items(data)
    config = default._replace(**_section(items, KEYS, ""))
    _same_names(config, items)
    _models_of_agents(config, items)
    _known(config.architect, ("rules", *config.models), items.get("architect"), "architect", "'rules' or a model's name")
    rungs = ("exact", *config.models, *config.agents)
    for item in _listed(items, "implementers"):
        _known(item.value, rungs, item, "implementers", "'exact', a model's or an agent's name")
    keys = {model.key for model in config.models.values()}
    for item in _listed(items, "env"):
        if item.value in keys:
            fault(item.line, f"'env': {item.value} holds a model's key, which no criterion may see: take it out")
    return config


def _listed(items: Mapping[str, Item], key: str) -> Sequence[Item]:
    found: Sequence[Item] = items[key].value if key in items else ()
    return found


def _same_names(config: Config, items: Mapping[str, Item]) -> None:
    for name in config.agents:
        if name in config.models:
            fault(items["agents"].value[name].at, f"'agents.{name}': a model has that name too: choose another")


def _models_of_agents(config: Config, items: Mapping[str, Item]) -> None:
    """An agent's model is one of `models:`, and one that answers: recorded replies know nothing of an agent's tools."""
    real = [name for name, model in config.models.items() if model.api != "scripted"]
    for name, agent in config.agents.items():
        given = items["agents"].value[name].value
        if "model" in agent:
            _known(str(agent["model"]), real, given["model"], f"agents.{name}.model", "a model's name, not a scripted one")
        if "usage" in agent:
            _known(str(agent["usage"]), KNOWN_AGENTS, given["usage"], f"agents.{name}.usage", "a known agent's name")


def _known(name: str, known: Sequence[str], item: Item | None, key: str, words: str) -> None:
    if name not in known and item is not None:
        fault(item.line, f"{key!r}: {name!r} is not known here: {words}{_meant(name, known)}")


def _meant(word: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only where something is wrong

    close = get_close_matches(word, known, 1, 0.5)
    return f": did you mean {close[0]!r}?" if close else f" (there are: {', '.join(known)})"


def _section(items: Mapping[str, Item], keys: Mapping[str, Read], where: str) -> dict[str, Any]:
    found = {}
    for key, item in items.items():
        if key not in keys:
            inside = f" in {where[:-1]!r}" if where else ""
            fault(item.at, f"unknown key {key!r}{inside}{_meant(key, tuple(keys))}")
        if item.kind == "nothing":
            fault(item.at, f"'{where}{key}' has no value: give it one, or remove the line")
        found[key] = keys[key](item, where + key)
    return found


def _mapping(item: Item, key: str) -> Mapping[str, Item]:
    if item.kind != "a mapping":
        fault(item.line, f"{key!r} must be a mapping of 'name: value', not {item.kind}")
    found: Mapping[str, Item] = item.value
    return found


def _text(item: Item, key: str) -> str:
    if item.kind in ("a list", "a mapping", "nothing"):
        fault(item.line, f"{key!r} must be text, not {item.kind}")
    if item.kind != "text":
        fault(item.line, f"{key!r}: YAML reads {item.value} as {item.kind}: write it in quotes")
    text: str = item.value
    if not text.strip():
        fault(item.line, f"{key!r} is empty")
    if any(mark in text for mark in KEY_MARKS) and re.search(LITERAL_KEY, text):
        fault(item.line, f"{key!r} looks like a key itself: name the environment variable that holds it")
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        fault(item.line, f"{key!r} must be one line, without control characters (a long one is folded by '>-')")
    return text


def _texts(read: Read, least: int = 0) -> Read:
    def texts(item: Item, key: str) -> tuple[str, ...]:
        if item.kind != "a list":
            fault(item.line, f"{key!r} must be a list, as in [{item.value if item.kind == 'text' else '…'}]")
        found = tuple(read(each, key) for each in item.value)
        for at, text in enumerate(found):
            if text in found[:at]:
                fault(item.value[at].line, f"{key!r}: {text!r} is there twice: keep one")
        if len(found) < least:
            fault(item.line, f"{key!r} must name at least {least}")
        return found

    return texts


def _choice(*words: str) -> Read:
    def choice(item: Item, key: str) -> str:
        if item.kind in ("a list", "a mapping") or item.value not in words:
            given = item.kind if item.kind in ("a list", "a mapping") else repr(item.value)
            fault(item.line, f"{key!r} must be one of {', '.join(words)}, not {given}")
        return str(item.value)

    return choice


def _number(low: float, high: float, *, whole: bool = False) -> Read:
    def number(item: Item, key: str) -> float:
        if item.kind != "a number" or not re.match(NUMBER, item.value) or (whole and "." in item.value):
            fault(item.line, f"{key!r} must be a plain {'whole ' if whole else ''}number{_given(item)}")
        value = float(item.value)  # of so many digits as there may be, which `int` refuses to read
        if not low <= value <= high:
            shown = item.value if len(item.value) <= SHOWN_DIGITS else item.value[:SHOWN_DIGITS] + "…"
            fault(item.line, f"{key!r} must be from {low:,} to {high:,}, not {shown}")
        return int(value) if whole else value

    return number


def _given(item: Item) -> str:
    if item.kind == "a number":
        return f", not {item.value!r}"
    return f", not {item.kind}"


def _matching(pattern: str, words: str) -> Read:
    def matching(item: Item, key: str) -> str:
        text = _text(item, key)
        if not re.match(pattern, text):
            fault(item.line, f"{key!r}: {text!r} is not {words}")
        return text

    return matching


def _path(item: Item, key: str) -> str:
    text = _text(item, key)
    parts = text.removesuffix("/").split("/")
    if text.startswith(("/", "~")) or "\\" in text or any(p in ("", ".", "..") or p.lower() == ".git" for p in parts):
        fault(item.line, f"{key!r}: {text!r} must be a path inside the repository, with '/' and without '.' or '..'")
    return "/".join(parts)


def _search_path(item: Item, key: str) -> str:
    text = _text(item, key)
    if ":" in text or text.startswith("~") or ".." in text.split("/"):
        fault(item.line, f"{key!r}: {text!r} must be one folder, absolute or in the repository, without '~' or '..'")
    return text


def _glob(item: Item, key: str) -> str:
    text = _text(item, key)
    if text.startswith("!"):
        fault(item.line, f"{key!r} only adds to the built-in list: {text!r} would take from it")
    if text.startswith("/") or "\\" in text or any(p in ("", ".", "..") for p in text.split("/")):
        fault(item.line, f"{key!r}: {text!r} must be a glob of paths inside the repository, with '/'")
    return text


def _variable(item: Item, key: str) -> str:
    text = _text(item, key)
    if not re.match(VARIABLE, text):
        fault(item.line, f"{key!r}: {text!r} is not the name of an environment variable")
    if re.search(UNFIT, text):
        fault(item.line, f"{key!r}: {text} is named like a secret, which no criterion may see: take it out")
    return text


def _key(item: Item, key: str) -> str:
    if item.kind == "text" and not re.match(KEY_NAME, item.value):
        fault(
            item.line,
            f"{key!r} must name an environment variable, such as OPENAI_API_KEY: a key is never written here",
        )
    return _text(item, key)


def _base_url(item: Item, key: str) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415 - few files have one

    text = _text(item, key)
    try:
        url = urlsplit(text)
        host, user, _ = url.hostname or "", url.username, url.port
    except ValueError:
        fault(item.line, f"{key!r} is not a URL")
    if user is not None or "@" in url.netloc:
        fault(item.line, f"{key!r} must hold no user name or password")
    if not host or url.query or url.fragment or any(c.isspace() for c in text):
        fault(item.line, f"{key!r} must be a plain URL, such as https://host/v1")
    if url.scheme != "https" and not (url.scheme == "http" and re.match(LOOPBACK, host)):
        fault(item.line, f"{key!r} must start with https:// (http:// only on this machine): the key travels on it")
    return text


def _price(item: Item, key: str) -> Price:
    found = _section(_mapping(item, key), dict.fromkeys(Price._fields, _number(0, 100_000)), key + ".")
    _require(item, found, ("input", "output"), key)
    return Price(found["input"], found.get("cached", found["input"]), found["output"])


def _require(item: Item, found: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in keys:
        if key not in found:
            fault(item.at, f"{where!r} needs {key!r}")


def _named(read: Callable[[str, Item, str], Any]) -> Read:
    def named(item: Item, key: str) -> dict[str, Any]:
        found = {}
        for name, each in _mapping(item, key).items():
            if not re.match(NAME, name) or name in RESERVED:
                words = "small letters, digits, '-', '_' and '.', and none of " + ", ".join(RESERVED)
                fault(each.at, f"{key!r}: {name!r} can't be a name here: {words}")
            found[name] = read(name, each, f"{key}.{name}")
        return found

    return named


def _model(name: str, item: Item, key: str) -> ModelConfig:
    found = _section(_mapping(item, key), MODEL_KEYS, key + ".")
    _require(item, found, ("api",), key)
    if found["api"] == "scripted":
        _require(item, found, ("replies",), key)
        unfit: tuple[str, ...] = ("key", "base_url")
    else:
        local = "base_url" in found and found["base_url"].startswith("http://")
        _require(item, found, ("model",) if local else ("model", "key"), key)
        unfit = ("replies",)
    for each in unfit:
        if each in found:
            fault(item.value[each].at, f"'{key}.{each}' has no place beside 'api: {found['api']}': take it out")
    return ModelConfig(name=name, **{"model": "scripted", **found})


def _agent(name: str, item: Item, key: str) -> Mapping[str, object]:
    found = _section(_mapping(item, key), AGENT_KEYS, key + ".")
    if "command" not in found and name not in KNOWN_AGENTS:
        fault(item.at, f"{key!r} is not a known agent ({', '.join(KNOWN_AGENTS)}): give its 'command'")
    return found


def _coaching(item: Item, key: str) -> Coaching:
    return Coaching(**_section(_mapping(item, key), COACHING_KEYS, key + "."))


def _limits(item: Item, key: str) -> Limits:
    return Limits(**_section(_mapping(item, key), LIMIT_KEYS, key + "."))


def _implementers(item: Item, key: str) -> tuple[str, ...]:
    found: tuple[str, ...] = _texts(_text, 1)(item, key)
    if found[0] != "exact":
        fault(item.line, f"{key!r} must start with 'exact': what is written out is applied by code, for nothing")
    return found


MODEL_KEYS: dict[str, Read] = {
    "api": _choice("anthropic", "openai", "scripted"),
    "model": _text,
    "key": _key,
    "base_url": _base_url,
    "price": _price,
    "replies": _path,
}
AGENT_KEYS: dict[str, Read] = {
    "command": _texts(_text, 1),
    "usage": _text,
    "model": _text,
    "turns": _number(1, 1000, whole=True),
}
COACHING_KEYS: dict[str, Read] = {
    "branch": _matching(BRANCH, "a branch's name"),
    "bytes": _number(0, 65_536, whole=True),
    "holdout": _number(0, 0.9),
}
LIMIT_KEYS: dict[str, Read] = {
    "rounds": _number(1, 100, whole=True),
    "minutes": _number(0.1, 1440),
    "tokens": _number(0, 1_000_000_000, whole=True),
    "usd": _number(0, 10_000),
    "parallel": _number(1, 64, whole=True),
    "usd_per_day": _number(0, 100_000),
    "pulls": _number(1, 1000, whole=True),
}
KEYS: dict[str, Read] = {
    "specs": _path,
    "models": _named(_model),
    "agents": _named(_agent),
    "architect": _text,
    "implementers": _implementers,
    "forge": _choice("github", "local"),
    "coaching": _coaching,
    "prepare": _texts(_text),
    "env": _texts(_variable),
    "path": _texts(_search_path),
    "protected": _texts(_glob),
    "sandbox": _choice("auto", "required", "none"),
    "limits": _limits,
}
