"""A coding agent's command line as an implementer: it works in a private checkout, in the sandbox, and is taken at its diff.

The key stays outside: the agent's only way out is the meter. What it says of itself, its exit code included, decides
nothing; where that differs from what really happened, the outcome's reason says so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from split_ci import agent_said, agents, brief, lesson, proc, survivors
from split_ci.agent_checkout import AgentCheckout, Scratch
from split_ci.agent_output import Heard
from split_ci.errors import Refused, UsageError, WorldError
from split_ci.meter import Meter, Upstream
from split_ci.ports import Attempt, Message, Outcome
from split_ci.prompts import read_prompt
from split_ci.redact import redacted
from split_ci.sandbox import HOME, Bind, Sandbox, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from split_ci.git import Repo
    from split_ci.ports import File, Task, Usage
    from split_ci.results import Execution

TURNS = 60  # requests of one attempt, where the configuration says nothing
GRACE_SECONDS = 5.0  # for an agent that is refused to end by itself
GATE = "/run/split-ci"  # where the meter's socket, the plan and the brief are, inside
RUN = "/tmp/split-ci-run"  # noqa: S108 - inside the sandbox nobody else's
PORT = 4141  # of the sandbox's own loopback
OUTPUT_BYTES = 64 << 20
MOST_FILES = 30  # named on a command line
WORDS = 300  # characters of an agent's last words in a reason
FENCE = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
    "GIT_ALLOW_PROTOCOL": "file", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "NO_COLOR": "1",
    "DO_NOT_TRACK": "1", "GIT_EDITOR": "true", "GIT_PAGER": "cat", "PAGER": "cat",
    "GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "split-ci",
    "GIT_CONFIG_KEY_1": "user.email", "GIT_CONFIG_VALUE_1": "split-ci@localhost",
}  # fmt: skip


class Ground(NamedTuple):
    """What agents of one configuration share. `names`, `path` and `keys` are what `sandbox.environment` takes."""

    repo: Repo
    sandbox: Sandbox
    names: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


class Agent:
    """A `ports.Implementer` over a row of `agents`. `label` is its name with its version, for the record."""

    recorded = False

    def __init__(
        self, row: agents.Agent, upstream: Upstream, ground: Ground, *, price: Callable[[Usage], Usage], turns: int = TURNS
    ) -> None:  # fmt: skip
        self.name = row.name
        self._row = row
        self._upstream = upstream
        self._ground = ground
        self._price = price
        self._turns = turns
        self._program = found_program(row, ground.path)
        self._version: str | None = None
        self._asking = threading.Lock()

    @property
    def label(self) -> str:
        """`goose (1.34.0)`; the name alone where the program tells no version."""
        with self._asking:
            if self._version is None:
                self._version = self._ask_version()
        return f"{self.name} ({self._version})" if self._version else self.name

    def implement(self, task: Task) -> Attempt:
        """Files changed since the task's tree, and the outcome. Whatever the agent does is a value."""
        try:
            given = self._brief(task)
        except Refused as error:
            return Attempt({}, task.account.usage, Outcome("refused", error.message))
        try:
            return self._attempt(task, given)
        except WorldError as error:
            why = error.message + (" (try again later)" if error.again else "")
            return Attempt({}, task.account.usage, Outcome("failed", why), (Message("user", given),), error)

    def _attempt(self, task: Task, given: str) -> Attempt:
        mark = uuid4().hex
        with AgentCheckout(self._ground.repo, task, mark) as checkout:
            before = snapshot(self._ground) if self._open() else None
            run = self._run(task, given, checkout, mark)
            taken = checkout.taken()
        if before is not None and snapshot(self._ground) != before:
            outcome = Outcome("refused", f"refs, HEAD or the configuration of the repository changed while {self.name} ran")
            return Attempt({}, task.account.usage, outcome, run.transcript(given))
        if taken.fault:
            outcome = Outcome("refused", self._noted(taken.fault, run))
            return Attempt({}, task.account.usage, outcome, run.transcript(given))
        outcome = self._outcome(task, run, taken.files)
        fault = WorldError(run.trouble, again=run.again) if run.trouble and outcome.name == "failed" else None
        return Attempt(taken.files, task.account.usage, outcome, run.transcript(given), fault)

    def _open(self) -> bool:
        """Whether the agent runs with all of the user's rights."""
        return self._ground.sandbox.kind == "none"

    # --- one run

    def _run(self, task: Task, given: str, checkout: AgentCheckout, mark: str) -> Run:
        stop = threading.Event()
        refused = threading.Timer(GRACE_SECONDS, stop.set)
        refused.daemon = True
        heard = Heard()
        began = task.account.usage
        seconds = task.account.seconds_left()
        with Meter(self._upstream, task.account, turns=self._turns, price=self._price, on_refusal=refused.start) as meter:
            if self._open():
                meter.serve_loopback()
            else:
                meter.serve_unix(checkout.gate)
            at = self._place(task, given, checkout, meter)
            plan = self._plan(at)
            write_gate(checkout.gate, plan, given)
            try:
                done = self._start(at, checkout, heard, stop, seconds, mark)
            except proc.Stopped:
                done = None
            finally:
                refused.cancel()
                if self._open():
                    survivors.end_marked(mark)
        ended = heard.ended(done)
        cut = "" if done is None else done.cap
        broken = done is None and not meter.refusal
        fault = done.fault if done is not None else ""
        return Run(
            self._row.read(ended), ended, meter.refusal, cut, fault, meter.trouble, meter.again, broken, meter.guessed,
            (task.account.usage.input - began.input, task.account.usage.output - began.output),
        )  # fmt: skip

    def _place(self, task: Task, given: str, checkout: AgentCheckout, meter: Meter) -> agents.Place:
        inside = not self._open()
        writable = [path for path in task.writable if not set("*?[") & set(path)][:MOST_FILES]
        reads = [path for path in task.files if path not in writable and task.tree.read(path)][:MOST_FILES]
        gate = GATE if inside else checkout.gate
        return agents.Place(
            url=f"http://127.0.0.1:{PORT if inside else meter.port}", key=meter.key, model=self._upstream.model, brief=given,
            brief_file=f"{gate}/brief.md", run=RUN if inside else checkout.run, home=HOME if inside else checkout.home,
            id=task.spec.id, turns=self._turns, seconds=max(1, int(task.account.seconds_left())), files=tuple(writable),
            reads=tuple(reads), fenced=inside,
        )  # fmt: skip

    def _plan(self, at: agents.Place) -> dict[str, object]:
        argv = self._row.argv(at)
        xdg = [f"{at.home}/{folder}" for folder in (".config", ".local/share", ".local/state", ".cache")]
        return {
            "argv": [self._program, *argv[1:]], "stdin": self._row.stdin, "port": 0 if self._open() else PORT,
            "folders": [at.run, *xdg], "files": {f"{at.run}/{name}": text for name, text in self._row.files(at).items()},
            "collects": {name: f"{at.run}/{name}" for name in self._row.collects},
        }  # fmt: skip

    def _start(
        self, at: agents.Place, checkout: Scratch, heard: Heard, stop: threading.Event, seconds: float, mark: str
    ) -> Execution:  # fmt: skip
        env = {**self._env(checkout, at.home), **self._row.env(at), survivors.MARK: mark}
        gate = at.brief_file.rpartition("/")[0]
        return self._in_sandbox(
            [proc.python(), "-I", "-S", "-c", launcher(), gate], checkout, env,
            proc.Caps(seconds=max(1.0, seconds), output_bytes=OUTPUT_BYTES, file_bytes=512 << 20), stop, heard.hear,
        )  # fmt: skip

    def _in_sandbox(
        self, argv: Sequence[str], checkout: Scratch, env: Mapping[str, str], caps: proc.Caps,
        stop: threading.Event | None, on_output: Callable[[bytes], None] | None,
    ) -> Execution:  # fmt: skip
        binds = [Bind(checkout.gate, GATE), *(Bind(one, one) for one in homes(self._program))]
        return self._ground.sandbox.run(
            argv, folder=checkout.tree, env=env, caps=caps, binds=binds, stop=stop, on_output=on_output
        )

    def _env(self, checkout: Scratch, home: str) -> dict[str, str]:
        ground = self._ground
        temporary = checkout.temporary if self._open() else "/tmp"  # noqa: S108 - as above
        env = environment(
            path=ground.path, names=ground.names, keys=ground.keys, place=ground.sandbox.place(checkout.tree), home=home,
            temporary=temporary,
        )  # fmt: skip
        folders = {"CONFIG": ".config", "DATA": ".local/share", "STATE": ".local/state", "CACHE": ".cache"}
        xdg = {f"XDG_{name}_HOME": f"{home}/{folder}" for name, folder in folders.items()}
        return {**env, **FENCE, **xdg, "TMUX_TMPDIR": temporary}

    def _ask_version(self) -> str:
        """What `--version` says: the first number in it, from a run without a meter; nothing where it says none."""
        with Scratch() as checkout:
            env = self._env(checkout, checkout.home if self._open() else HOME)
            done = self._in_sandbox([self._program, "--version"], checkout, env, proc.Caps(seconds=60), None, None)
        said = done.output.decode("utf-8", "replace")
        pattern = r"(?i)\bversion:?\s+v?(\d+\.\d+[\w.+-]*)" + (r"|(\d+\.\d+[\w.+-]*)" if done.exit == 0 else "")
        found = re.search(pattern, said)
        return next(filter(None, found.groups()))[:40].rstrip(".") if found else ""

    # --- what to make of it

    def _brief(self, task: Task) -> str:
        """The brief as one text; files are named, not shown: an agent reads them itself."""
        lessons = lesson.render_block(lesson.Chosen(task.lessons, ())) if task.lessons else ""
        given = brief.render_brief(task._replace(files=()), read_prompt("agent"), lessons)
        named = "".join(f"- {brief.quoted(path)}\n" for path in task.files)
        return f"{given.system}\n{given.text}" + (f"\nThe files that this concerns:\n{named}" if named else "")

    def _outcome(self, task: Task, run: Run, files: Mapping[str, File | None]) -> Outcome:
        if run.refused:
            return Outcome("over-limit", self._noted(run.refused, run))
        if run.cut:
            return Outcome("over-limit", self._noted(f"{self.name} was ended: {run.cut}", run))
        if run.fault or run.broken:
            return Outcome("failed", run.fault or f"{self.name} was ended: {run.trouble}, again and again")
        if not files:
            words = dict.fromkeys(shortened(one) for one in (run.said.fault, run.said.last, run.trouble) if one)
            why = "; ".join(words) or shortened(run.ended.stderr[-WORDS:]) or "it says nothing of why"
            return Outcome("failed", self._noted(f"{self.name} changed nothing: {why}", run))
        missing = next((group[0] for group in task.asked if not any(path in files for path in group)), None)
        if missing:
            return Outcome("failed", self._noted(f"{self.name} left {missing} as it was", run))
        return Outcome("done", self._noted("", run, itself=True))

    def _noted(self, reason: str, run: Run, *, itself: bool = False) -> str:
        """A reason with what else should be known: what the agent says that isn't so, guesses, a sandbox that is missing."""
        notes = [reason] if reason else []
        if itself and run.said.fault:
            notes.append(f"{self.name} itself says: {shortened(run.said.fault)}")
        notes += [note for note in (run.mismatch(self.name), run.unknown()) if note]
        if self._open() and not reason:
            notes.append("it ran without a sandbox")
        return redacted("; ".join(notes), self._upstream.key)


class Run(NamedTuple):
    """How a run ended: what the agent says, why it was refused, cut off or not run at all, and what was metered."""

    said: agent_said.Said
    ended: agent_said.Ended
    refused: str
    cut: str
    fault: str
    trouble: str
    again: bool
    broken: bool
    guessed: int
    metered: tuple[int, int]

    def mismatch(self, name: str) -> str:
        """Where the agent counts more than the meter, or both differ by more than a twentieth."""
        told = (self.said.input, self.said.output)
        if None in told or not any(told) or self.guessed:
            return ""
        if all(abs((own or 0) - here) * 20 <= here for own, here in zip(told, self.metered, strict=True)):
            return ""
        return f"{name} counts {told[0]} + {told[1]} tokens, the meter {self.metered[0]} + {self.metered[1]}"

    def unknown(self) -> str:
        return f"{self.guessed} answers didn't say what they cost: estimated" if self.guessed else ""

    def transcript(self, given: str) -> tuple[Message, ...]:
        last = self.said.last or self.said.fault or self.ended.stderr[-2000:]
        return (Message("user", given), Message("assistant", last)) if last else (Message("user", given),)


def found_program(row: agents.Agent, path: Sequence[str]) -> str:
    """Where a row's program is. Raises UsageError."""
    where = os.pathsep.join([*(one for one in path if os.path.isabs(one)), os.environ.get("PATH", os.defpath)])
    found = shutil.which(row.program, path=where)
    if found is None:
        raise UsageError(f"agents.{row.name}: there is no program {row.program} on PATH", hint=f"install {row.program}")
    return os.path.abspath(found)


def homes(program: str) -> list[str]:
    """What a program needs to be seen inside besides the folders of PATH: where it really lies, and its packages."""
    user = os.path.realpath(os.path.expanduser("~"))
    found = []
    for at in dict.fromkeys((program, os.path.realpath(program))):
        parts = at.split("/")
        if "node_modules" in parts:
            found.append("/".join(parts[: parts.index("node_modules") + 1]))
            continue
        folder = os.path.dirname(at)
        broad = user == folder or user.startswith(folder.rstrip("/") + "/") or folder in ("/tmp", "/var", "/run")  # noqa: S108
        found.append(at if broad else folder)
    return [one for one in dict.fromkeys(found) if not one.startswith(("/usr/", "/bin/", "/opt/"))]


def snapshot(ground: Ground) -> tuple[object, ...]:
    """What an agent must leave as it is in the user's repository; the bot's own refs, which may be moving, left out."""
    repo = ground.repo
    refs = {name: oid for name, oid in repo.refs().items() if "split-ci" not in name}
    held: list[bytes] = []
    for path in (os.path.join(repo.git_dir, "HEAD"), os.path.join(repo.common_dir, "config")):
        with open(path, "rb") as file:
            held.append(file.read())
    hooks = os.path.join(repo.common_dir, "hooks")
    return refs, *held, sorted(os.listdir(hooks)) if os.path.isdir(hooks) else []


def write_gate(folder: str, plan: Mapping[str, object], given: str) -> None:
    """What the launcher reads, beside the meter's socket."""
    for name, text in (("plan.json", json.dumps(plan)), ("brief.md", given)):
        with open(os.path.join(folder, name), "w", encoding="utf-8", errors="replace") as file:
            file.write(text)


_source: list[str] = []


def launcher() -> str:
    """The text of `agent_launch`."""
    if not _source:
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        with open(os.path.join(here, "agent_launch.py"), encoding="utf-8") as file:
            _source.append(file.read())
    return _source[0]


def shortened(text: str) -> str:
    """Foreign words on one line, cut."""
    return " ".join(text.split())[:WORDS]
