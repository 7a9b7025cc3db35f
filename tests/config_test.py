"""`.split-ci.yaml`: what it means, what is refused and with which words, and that the JSON Schema says the same."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from split_ci.config import Coaching, Config, Limits, ModelConfig, Price, find_config, parse_config, read_config
from split_ci.errors import UsageError
from split_ci.git import Repo
from tests.builders import commit, git, make_repo

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = json.loads(files("split_ci").joinpath("schemas/config.schema.json").read_text())
CHEAP = "models: {cheap: {api: openai, model: m, key: OPENAI_API_KEY}}\n"

GOOD = {
    "nothing": ("", Config()),
    "comments alone": ("# later\n", Config()),
    "a byte order mark": ("\ufeffspecs: docs/specs\n", Config(specs="docs/specs")),
    "carriage returns": ("sandbox: none\r\nspecs: docs/specs/\r\n", Config(sandbox="none", specs="docs/specs")),
    "a model, named twice": (
        CHEAP + "architect: cheap\nimplementers: [exact, cheap]\n",
        Config(
            models={"cheap": ModelConfig("cheap", "openai", "m", "OPENAI_API_KEY")},
            architect="cheap",
            implementers=("exact", "cheap"),
        ),
    ),
    "a price": (
        "models: {a: {api: anthropic, model: m, key: A, price: {input: 3, output: 15.5}}}",
        Config(models={"a": ModelConfig("a", "anthropic", "m", "A", price=Price(3.0, 3.0, 15.5))}),
    ),
    "a model on this machine needs no key": (
        "models: {a: {api: openai, model: m, base_url: 'http://127.0.0.1:8080/v1'}}",
        Config(models={"a": ModelConfig("a", "openai", "m", base_url="http://127.0.0.1:8080/v1")}),
    ),
    "recorded replies": (
        "models: {a: {api: scripted, replies: replies.json}}",
        Config(models={"a": ModelConfig("a", "scripted", "scripted", replies="replies.json")}),
    ),
    "agents": (
        "agents: {goose: {}, mine: {command: [mine, --headless], usage: goose}}\nimplementers: [exact, goose, mine]\n",
        Config(
            agents={"goose": {}, "mine": {"command": ("mine", "--headless"), "usage": "goose"}},
            implementers=("exact", "goose", "mine"),
        ),
    ),
    "coaching": ("coaching: {branch: main, bytes: 0, holdout: 0.5}", Config(coaching=Coaching("main", 0, 0.5))),
    "limits": (
        "limits: {rounds: 1, minutes: 0.5, tokens: 0, usd: 0, parallel: 14, usd_per_day: 2.5, pulls: 7}",
        Config(limits=Limits(1, 0.5, 0, 0.0, 14, 2.5, 7)),
    ),
    "what criteria need": (
        "prepare: [python -m venv .venv]\nenv: [LANG, CI]\npath: [.venv/bin, /opt/tool/bin]\n",
        Config(prepare=("python -m venv .venv",), env=("LANG", "CI"), path=(".venv/bin", "/opt/tool/bin")),
    ),
    "more that is protected": ("protected: ['deploy/**', '*.tf']", Config(protected=("deploy/**", "*.tf"))),
    "a folded command": ("prepare:\n  - >-\n    pip install\n    pytest\n", Config(prepare=("pip install pytest",))),
    "words that only look like keys": ("prepare: [task-skeleton-of-a-thing]", Config(prepare=("task-skeleton-of-a-thing",))),
}

# What the schema must refuse too.
BAD = {
    "an unknown key": (
        "specs: specs\npermisions: {}\n",
        f"2: unknown key 'permisions' (there are: {', '.join(Config._fields)})",
    ),
    "a typo": ("protcted: []\n", "1: unknown key 'protcted': did you mean 'protected'?"),
    "an unknown key below": ("limits:\n  round: 3\n", "2: unknown key 'round' in 'limits': did you mean 'rounds'?"),
    "an unknown key of a model": (
        "models:\n  cheap:\n    api: openai\n    modle: m\n",
        "4: unknown key 'modle' in 'models.cheap': did you mean 'model'?",
    ),
    "a list": ("- specs\n", "1: the file is a list, not a mapping: write `key: value` lines"),
    "a word": ("specs\n", "1: the file is text, not a mapping: write `key: value` lines"),
    "a key without a value": ("specs: a\nlimits:\n", "2: 'limits' has no value: give it one, or remove the line"),
    "a number for a name": ("architect: 7\n", "1: 'architect': YAML reads 7 as a number: write it in quotes"),
    "NO": ("env: [NO]\n", "1: 'env': YAML reads NO as true or false: write it in quotes"),
    "off": ("sandbox: off\n", "1: 'sandbox' must be one of auto, required, none, not 'off'"),
    "a word for a list": ("prepare: make\n", "1: 'prepare' must be a list, as in [make]"),
    "a mapping for a list": ("prepare: {a: b}\n", "1: 'prepare' must be a list, as in […]"),
    "a list for a word": ("specs: [a]\n", "1: 'specs' must be text, not a list"),
    "a list for a mapping": ("limits: [3]\n", "1: 'limits' must be a mapping of 'name: value', not a list"),
    "a list for a choice": ("forge: [local]\n", "1: 'forge' must be one of github, local, not a list"),
    "an empty word": ("specs: ' '\n", "1: 'specs' is empty"),
    "two lines": ('prepare: ["a\\nb"]\n', "1: 'prepare' must be one line, without control characters (a long one is folded by '>-')"),
    "something twice": ("prepare: [a, b, a]\n", "1: 'prepare': 'a' is there twice: keep one"),
    "a folder outside": ("specs: ../specs\n", "1: 'specs': '../specs' must be a path inside the repository, with '/' and without '.' or '..'"),
    "an absolute folder": ("specs: /specs\n", "1: 'specs': '/specs' must be a path inside the repository, with '/' and without '.' or '..'"),
    "git's own folder": ("specs: .GIT/specs\n", "1: 'specs': '.GIT/specs' must be a path inside the repository, with '/' and without '.' or '..'"),
    "a backslash": ("specs: a\\b\n", "1: 'specs': 'a\\\\b' must be a path inside the repository, with '/' and without '.' or '..'"),
    "no api": ("models:\n  a: {model: m}\n", "2: 'models.a' needs 'api'"),
    "an unknown api": ("models: {a: {api: opneai, model: m, key: K}}\n", "1: 'models.a.api' must be one of anthropic, openai, scripted, not 'opneai'"),
    "no model": ("models: {a: {api: openai, key: K}}\n", "1: 'models.a' needs 'model'"),
    "no key": ("models: {a: {api: openai, model: m}}\n", "1: 'models.a' needs 'key'"),
    "no key for another machine": ("models: {a: {api: openai, model: m, base_url: 'https://host/v1'}}\n", "1: 'models.a' needs 'key'"),
    "no replies": ("models: {a: {api: scripted}}\n", "1: 'models.a' needs 'replies'"),
    "a key for recorded replies": (
        "models: {a: {api: scripted, replies: r, key: K}}\n",
        "1: 'models.a.key' has no place beside 'api: scripted': take it out",
    ),
    "replies for a real one": (
        "models: {a: {api: openai, model: m, key: K, replies: r}}\n",
        "1: 'models.a.replies' has no place beside 'api: openai': take it out",
    ),
    "a key written out": (
        "models:\n  a:\n    api: openai\n    model: m\n    key: sk-proj-0123456789abcdef\n",
        "5: 'models.a.key' must name an environment variable, such as OPENAI_API_KEY: a key is never written here",
    ),
    "a key that could be a name": (
        "models: {a: {api: openai, model: m, key: AKIAIOSFODNN7EXAMPLE}}\n",
        "1: 'models.a.key' looks like a key itself: name the environment variable that holds it",
    ),
    "a key in a command": (
        "prepare: ['TOKEN=ghp_0123456789abcdef ./fetch']\n",
        "1: 'prepare' looks like a key itself: name the environment variable that holds it",
    ),
    "a price without its output": ("models: {a: {api: openai, model: m, key: K, price: {input: 1}}}\n", "1: 'models.a.price' needs 'output'"),
    "a negative price": (
        "models: {a: {api: openai, model: m, key: K, price: {input: -1, output: 1}}}\n",
        "1: 'models.a.price.input' must be from 0 to 100,000, not -1",
    ),
    "http to another machine": (
        "models: {a: {api: openai, model: m, key: K, base_url: 'http://host/v1'}}\n",
        "1: 'models.a.base_url' must start with https:// (http:// only on this machine): the key travels on it",
    ),
    "http to a name that only begins as this machine's": (
        "models: {a: {api: openai, model: m, key: K, base_url: 'http://127.0.0.1.example.org/v1'}}\n",
        "1: 'models.a.base_url' must start with https:// (http:// only on this machine): the key travels on it",
    ),
    "a password in a URL": (
        "models: {a: {api: openai, model: m, key: K, base_url: 'https://me:pw@host/v1'}}\n",
        "1: 'models.a.base_url' must hold no user name or password",
    ),
    "a query in a URL": (
        "models: {a: {api: openai, model: m, key: K, base_url: 'https://host/v1?k=v'}}\n",
        "1: 'models.a.base_url' must be a plain URL, such as https://host/v1",
    ),
    "a reserved name": (
        "models: {exact: {api: openai, model: m, key: K}}\n",
        "1: 'models': 'exact' can't be a name here: small letters, digits, '-', '_' and '.', and none of exact, rules, local",
    ),
    "an unknown agent": (
        "agents: {gooose: {}}\n",
        "1: 'agents.gooose' is not a known agent (aider, claude, codex, goose, mini-swe-agent, opencode): give its 'command'",
    ),
    "a way to read that isn't known": (
        "agents: {mine: {command: [m], usage: gosse}}\n",
        "1: 'agents.mine.usage': 'gosse' is not known here: a known agent's name: did you mean 'goose'?",
    ),
    "no turns": ("agents: {goose: {turns: 0}}\n", "1: 'agents.goose.turns' must be from 1 to 1,000, not 0"),
    "an empty command": ("agents: {mine: {command: []}}\n", "1: 'agents.mine.command' must name at least 1"),
    "no rung": ("implementers: []\n", "1: 'implementers' must name at least 1"),
    "exact is not first": (
        CHEAP + "implementers: [cheap, exact]\n",
        "2: 'implementers' must start with 'exact': what is written out is applied by code, for nothing",
    ),
    "a branch that git refuses": ("coaching: {branch: a..b}\n", "1: 'coaching.branch': 'a..b' is not a branch's name"),
    "a branch like an option": ("coaching: {branch: -f}\n", "1: 'coaching.branch': '-f' is not a branch's name"),
    "too many bytes": ("coaching: {bytes: 65537}\n", "1: 'coaching.bytes' must be from 0 to 65,536, not 65537"),
    "no pull requests": ("limits: {pulls: 0}\n", "1: 'limits.pulls' must be from 1 to 1,000, not 0"),
    "no rounds": ("limits: {rounds: 0}\n", "1: 'limits.rounds' must be from 1 to 100, not 0"),
    "half a round": ("limits: {rounds: 1.5}\n", "1: 'limits.rounds' must be a plain whole number, not '1.5'"),
    "true rounds": ("limits: {rounds: true}\n", "1: 'limits.rounds' must be a plain whole number, not true or false"),
    "money without end": ("limits: {usd: .inf}\n", "1: 'limits.usd' must be a plain number, not '.inf'"),
    "a secret by its name": ("env: [LANG, NPM_TOKEN]\n", "1: 'env': NPM_TOKEN is named like a secret, which no criterion may see: take it out"),
    "a variable of git": ("env: [git_dir]\n", "1: 'env': git_dir is named like a secret, which no criterion may see: take it out"),
    "not a variable": ("env: [A-B]\n", "1: 'env': 'A-B' is not the name of an environment variable"),
    "two folders in one": ("path: ['a:b']\n", "1: 'path': 'a:b' must be one folder, absolute or in the repository, without '~' or '..'"),
    "home": ("path: ['~/bin']\n", "1: 'path': '~/bin' must be one folder, absolute or in the repository, without '~' or '..'"),
    "taking from the list": ("protected: ['!Makefile']\n", "1: 'protected' only adds to the built-in list: '!Makefile' would take from it"),
    "a glob outside": ("protected: ['../**']\n", "1: 'protected': '../**' must be a glob of paths inside the repository, with '/'"),
}  # fmt: skip

# What a schema can't see: the file itself, and names that must fit each other.
BAD_BESIDE_SCHEMA = {
    "an unknown architect": ("architect: cheep\n" + CHEAP, "1: 'architect': 'cheep' is not known here: 'rules' or a model's name: did you mean 'cheap'?"),
    "an unknown rung": (
        "implementers:\n  - exact\n  - chaep\n" + CHEAP,
        "3: 'implementers': 'chaep' is not known here: 'exact', a model's or an agent's name: did you mean 'cheap'?",
    ),
    "an agent's model that isn't there": (
        CHEAP + "agents: {goose: {model: chaep}}\n",
        "2: 'agents.goose.model': 'chaep' is not known here: a model's name, not a scripted one: did you mean 'cheap'?",
    ),
    "an agent on recorded replies": (
        "models: {a: {api: scripted, replies: r.json}}\nagents: {goose: {model: a}}\n",
        "2: 'agents.goose.model': 'a' is not known here: a model's name, not a scripted one (there are: )",
    ),
    "one name for two": (CHEAP + "agents:\n  cheap: {command: [x]}\n", "3: 'agents.cheap': a model has that name too: choose another"),
    "a model's key for criteria": (
        "models: {a: {api: openai, model: m, key: MY_MODEL}}\nenv: [MY_MODEL]\n",
        "2: 'env': MY_MODEL holds a model's key, which no criterion may see: take it out",
    ),
    "a key twice": ("specs: a\nspecs: b\n", "2: `specs` is there twice (lines 1 and 2): keep one of them"),
    "an anchor": ("specs: &a b\n", "1: an anchor (`&a`): take it away and write the value out"),
    "an alias": ("specs: *a\n", "1: an alias (`*a`): write the value out"),
    "a tag": ("specs: !!python/object/apply:os.system [id]\n", "1: a tag (`tag:yaml.org,2002:python/object/apply:os.system`): take it away"),
    "a merge": ("<<: {specs: a}\n", "1: a merge key (`<<`): write the keys out"),
    "a key that is a number": ("1: a\n", "1: the key 1 is a number to YAML: write a name"),
    "a key that is a list": ("[a]: b\n", "1: a key is a list or a mapping: write a word"),
    "a clock": ("limits: {minutes: 1:30}\n", "1: 'limits.minutes' must be a plain number, not '1:30'"),
    "an octal number": ("limits: {rounds: 010}\n", "1: 'limits.rounds' must be a plain whole number, not '010'"),
    "two documents": ("specs: a\n---\nspecs: b\n", "3: the file holds a second document: take away the `...` line"),
    "too deep": ("[" * 20_000, "1: the file is nested over 16 deep: write it flat"),
    "not closed": ("specs: [a\n", "2: the file is not YAML: did not find expected ',' or ']': quote the value, or mend the indentation"),
    "a tab": ("limits:\n\trounds: 1\n", "2: the file is not YAML: found character that cannot start any token: quote the value, or mend the indentation"),
    "a control character": ("# a\nspecs: a\x07\n", "2: the file holds a character that YAML does not allow: take it away"),
    "too long": ("# " + "x" * 65_536, "1: the file has 65,538 bytes: at most 65,536"),
}  # fmt: skip


def refused_by_schema(text: str) -> bool:
    try:
        jsonschema.Draft7Validator(SCHEMA).validate(yaml.safe_load(text))
    except jsonschema.ValidationError:
        return True
    return False


@pytest.mark.parametrize(("text", "config"), GOOD.values(), ids=GOOD)
def test_what_a_file_means(text: str, config: Config) -> None:
    assert parse_config(text.encode(), {}) == config
    assert not text.strip("# later\n") or not refused_by_schema(text)


@pytest.mark.parametrize(("text", "message"), (BAD | BAD_BESIDE_SCHEMA).values(), ids=BAD | BAD_BESIDE_SCHEMA)
def test_what_is_refused_and_how(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_config(text.encode(), {})
    assert caught.value.message == ".split-ci.yaml:" + message


@pytest.mark.parametrize("text", [text for text, _ in BAD.values()], ids=list(BAD))
def test_the_schema_refuses_it_too(text: str) -> None:
    assert refused_by_schema(text)


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_the_schema_knows_every_key_and_default() -> None:
    default = Config()
    assert set(SCHEMA["properties"]) == set(Config._fields)
    for section in ("coaching", "limits"):
        keys: dict[str, Any] = SCHEMA["properties"][section]["properties"]
        assert {key: keys[key]["default"] for key in keys} == getattr(default, section)._asdict()
    for key in ("specs", "architect", "sandbox"):
        assert SCHEMA["properties"][key]["default"] == getattr(default, key)


def test_text_that_is_not_utf8_is_said_with_its_line() -> None:
    with pytest.raises(UsageError, match=r"^\.split-ci\.yaml:2: not UTF-8 text: save the file as UTF-8$"):
        parse_config(b"specs: a\n\xff\n", {})


@pytest.mark.parametrize(
    "text", ["key: sk-proj-CANARYCANARY", "model: [sk-proj-CANARYCANARY]", "base_url: https://u:CANARYCANARY@h"]
)
def test_a_key_is_never_said_again(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_config(f"models:\n  a:\n    {text}\n".encode(), {})
    assert "CANARY" not in caught.value.message


WORDS = [
    *Config._fields,
    "api",
    "openai",
    "scripted",
    "key",
    "KEY",
    "model",
    "exact",
    "true",
    "NO",
    "1:30",
    "0x1",
    "~",
    "a",
    "7",
    "''",
]
MARKS = [
    ": ",
    "- ",
    "\n",
    "\n  ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "&a ",
    "*a",
    "!x ",
    "<<",
    "? ",
    "|\n",
    "# ",
    "'",
    '"',
    "\t",
    "\0",
    "\x85",
    "---\n",
    "...\n",
]


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from(WORDS + MARKS), max_size=40).map(lambda parts: "".join(parts).encode())
)
def test_any_bytes_are_a_configuration_or_one_line_that_says_why_not(data: bytes) -> None:
    said = refusal(data)
    assert said is None or (said.startswith(".split-ci.yaml:") and "\n" not in said)


def refusal(data: bytes) -> str | None:
    try:
        parse_config(data, {})
    except UsageError as error:
        return error.message
    return None


def test_the_forge_follows_github_where_the_file_is_silent() -> None:
    here = {"GITHUB_REPOSITORY": "o/r"}
    assert [parse_config(data, here).forge for data in (None, b"", b"forge: local\n")] == ["github", "github", "local"]
    assert parse_config(None, {}) == Config()


def test_the_index_the_commit_and_the_work_tree_are_told_apart(tmp_path: Path) -> None:
    make_repo(tmp_path, {".split-ci.yaml": "specs: committed\n"})
    (tmp_path / ".split-ci.yaml").write_text("specs: staged\n")
    git(tmp_path, "add", "-A")
    (tmp_path / ".split-ci.yaml").write_text("specs: here\n")
    repo = Repo.find(str(tmp_path))
    found = [read_config(repo.tree("HEAD"), {}), read_config(repo.index_tree(), {}), find_config(repo, {})]
    assert [config.specs for config in found] == ["committed", "staged", "here"]


def test_a_bare_repository_and_an_unborn_one(tmp_path: Path) -> None:
    make_repo(tmp_path / "a", {".split-ci.yaml": "specs: committed\n"})
    git(tmp_path, "clone", "-q", "--bare", "a", "bare")
    git(tmp_path, "init", "-q", "--bare", "unborn")
    assert find_config(Repo.find(str(tmp_path / "bare")), {}).specs == "committed"
    assert find_config(Repo.find(str(tmp_path / "unborn")), {}) == Config()


@pytest.mark.parametrize(
    ("kind", "message"),
    [("symlink", "a symlink is not followed: put a plain file there"), ("folder", "not a file: make it one")],
)
def test_only_a_plain_file_is_read(tmp_path: Path, kind: str, message: str) -> None:
    make_repo(tmp_path, {"elsewhere": "specs: a\n"})
    config = tmp_path / ".split-ci.yaml"
    if kind == "symlink":
        config.symlink_to("elsewhere")
    else:
        config.mkdir()
        (config / "x").touch()
    repo = Repo.find(str(tmp_path))
    commit(tmp_path, {})
    for tree in (None, repo.tree("HEAD"), repo.index_tree()):
        with pytest.raises(UsageError) as caught:
            read_config(tree, {}) if tree else find_config(repo, {})
        assert caught.value.message == f".split-ci.yaml: {message}"


def test_a_number_that_is_too_long_to_read() -> None:
    with pytest.raises(UsageError) as refused:
        parse_config(f"limits: {{tokens: {'9' * 5000}}}\n".encode(), {})
    assert refused.value.message == f".split-ci.yaml:1: 'limits.tokens' must be from 0 to 1,000,000,000, not {'9' * 20}…"
