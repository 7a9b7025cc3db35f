"""Imports go strictly downward: every module has its row below, and imports only what stands further down.

Imports inside functions count; those for types alone don't, since nothing is loaded by them. A new module gets a row.
"""

from __future__ import annotations

import ast
import os
from functools import cache
from pathlib import Path

import pytest

import split_ci

ROOT = Path(split_ci.__file__).parent
LAYERS: dict[str, str] = {
    "entry": """
        __main__ main
    """,
    "commands": """
        commands commands.admit commands.accept commands.audit commands.check commands.coach commands.comment commands.demo commands.design commands.doctor commands.dispatch
        commands.drop commands.explain commands.gate commands.init commands.land commands.new commands.plan
        commands.publish commands.record commands.report commands.review commands.run commands.implement commands.status
    """,
    "report": """
        report.comment report.record report report.publish report.dispatch report.pull report.admit report.implement report.accept report.design report.html
        report.audit report.history report.crash report.demo report.doctor report.explain report.help
        report.init report.land report.plan report.review report.run report.coach report.problems report.status report.github report.bill report.after report.meanwhile report.charts
        report.terminal
    """,
    "the loop": """
        dispatch foresee lane selection rounds kept recording salvage
    """,
    "steps": """
        steps steps.admit steps.accept steps.audit steps.check steps.coach steps.comment steps.demo steps.design steps.doctor steps.drop steps.due steps.gate
        steps.implement steps.init steps.land steps.lessons steps.new steps.plan steps.publish steps.record
        steps.report steps.review steps.status
    """,
    "adapters": """
        forges forges.github_actions forges.local forges.github forges.github_review forges.github_look forges.github_client forges.github_wire forges.github_errors
        forges.github_place forges.workspace forges.remote implementers implementers.ladder implementers.agent implementers.chat models models.anthropic_api
        models.openai_api models.call models.scripted models.row reviewers reviewers.architect reviewers.judgement
        reviewers.pages reviewers.rules reviewers.checks reviewers.teaching
    """,
    "exact": """
        implementers.exact
    """,
    "ground": """
        risky
        provenance
        parcel prices spending turn quota following survey agent_checkout partial_clone agent_launch survivors meter passage caps handoff hook_entry journals journal past lesson_commit coaching merge mirror prepare prompts proof
        tries
        hunks
        config config_keys config_yaml reproduction references sandbox sandbox_init sandbox_probe sandbox_root search checkout watched
        interrupts
        proc starting branches ledger notes store forward refs intent git raw_tree apart stream
        cgroup covers listeners workflows leaving folders
    """,
    "words": """
        lessons_pull github_settings examined remarks markdown seal redact
        bill transcript design_reply agent_output agents agent_said wire changeset criteria inverse left failure brief lesson_file pending relations reply changed_tree results pull_state
        flights
        rules edit nearest path_rules overlay scope frozen text_rules verdict plain fields lesson lesson_rules writing paths
        spec criterion keys frontmatter sections blocks definitions change escapes patch vacuous ends shell invisible regex_cost
    """,
    "values": """
        errors ports problems protection settings
    """,
    "snapshot": """
        tree
    """,
}
ROWS = {
    name: (at, layer) for at, (layer, name) in enumerate((layer, name) for layer in LAYERS for name in LAYERS[layer].split())
}
APART = ("steps",)  # those of one layer that know nothing of each other
PURE = ("words", "values")
IMPURE = {"asyncio", "glob", "http", "logging", "multiprocessing", "os", "pathlib", "shutil", "signal", "socket", "subprocess", "sys",
          "tempfile", "threading", "time", "urllib"}  # fmt: skip
SAYS = {
    "main": "an error's line must come out even where nothing else can be imported",
    "git": "-v says each git command as it runs",
    "sandbox_probe": "it runs alone inside the sandbox, and its answer is what it prints",
}


def modules() -> list[str]:
    found = []
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name != "__pycache__" and not (name == "base" and folder.endswith("demo"))]
        for name in names:
            if name.endswith(".py"):
                path = Path(folder, name).relative_to(ROOT).with_suffix("")
                found.append(".".join(part for part in path.parts if part != "__init__"))
    return sorted(name for name in found if name)


MODULES = modules()


@cache
def parsed(name: str) -> ast.Module:
    path = ROOT.joinpath(*name.split("."))
    return ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text())


def imports(node: ast.AST) -> set[str]:
    """Full names of everything that is imported anywhere below a node, types alone left out."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return {name for each in node.orelse for name in imports(each)}
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        return {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for each in ast.iter_child_nodes(node) for name in imports(each)}


def own_imports(name: str) -> set[str]:
    """The package's modules that a module imports, by their names in the package."""
    found = set()
    for full in imports(parsed(name)):
        inside = full.removeprefix("split_ci.")
        if inside != full:
            found.add(inside if inside in MODULES else inside.rpartition(".")[0])
    return found - {"", name}


def test_every_module_has_one_row() -> None:
    rows = [name for layer in LAYERS.values() for name in layer.split()]
    assert sorted(rows) == MODULES


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_strictly_downward(name: str) -> None:
    at, layer = ROWS[name]
    for other in own_imports(name):
        there, its_layer = ROWS[other]
        assert there > at, f"{name} ({layer}) imports {other} ({its_layer}), which stands above it"
        assert layer != its_layer or layer not in APART, f"{name} imports {other}: {layer} know nothing of each other"


@pytest.mark.parametrize("name", [name for layer in PURE for name in LAYERS[layer].split()])
def test_words_do_nothing_outside_themselves(name: str) -> None:
    tree = parsed(name)
    assert not {full.partition(".")[0] for full in imports(tree)} & IMPURE
    assert not [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("open", "input")
    ]


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith("report.")])
def test_only_the_report_prints(name: str) -> None:
    said = [node.lineno for node in ast.walk(parsed(name)) if isinstance(node, ast.Call) and prints(node.func)]
    assert bool(said) == (name in SAYS), f"{name}, lines {said}"


def prints(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in ("print", "pprint")
    text = ast.unparse(function)
    return text.endswith(("stdout.write", "stderr.write", "stdout.buffer.write"))


def test_only_adapters_know_an_sdk() -> None:
    homes = {"git": ("git",), "openai": ("models",), "anthropic": ("models",), "githubkit": ("forges",), "rich": ("report",)}
    for name in MODULES:
        for full in imports(parsed(name)):
            package = full.partition(".")[0]
            assert name.partition(".")[0] in homes.get(package, (name.partition(".")[0],)), f"{name} imports {package}"


def test_the_test_finds_what_it_looks_for() -> None:
    """Its own reading of imports and of printing, on planted faults."""
    tree = ast.parse(
        "def f():\n    from split_ci.steps import check\nif TYPE_CHECKING:\n    import os\nelse:\n    import sys\n"
    )
    assert imports(tree) == {"split_ci.steps.check", "sys"}
    calls = [
        node.func for node in ast.walk(ast.parse("print(1); sys.stderr.write(''); say(2)")) if isinstance(node, ast.Call)
    ]
    assert [prints(call) for call in calls] == [True, True, False]
