"""The command line: which command, and how errors become exit codes.

A command is a module of `split_ci.commands` with `SUMMARY`, `arguments(parser)` and `run(args) -> int`; only the one
that was typed is imported. One may have `quick(argv)`, which reads its plainest calls without argparse (else None).
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from split_ci.errors import SplitCiError, UsageError, WorldError

if TYPE_CHECKING:
    from argparse import Namespace
    from types import ModuleType

EVERY_DAY = ["init", "doctor", "new", "design", "check", "explain", "run", "land", "drop", "coach", "demo"]
LOOKING = ["status", "plan", "report", "audit"]
FOR_WORKFLOWS = ["dispatch", "admit", "implement", "gate", "accept", "publish", "review", "comment", "record"]
GROUPS = {
    "every day": EVERY_DAY,
    "looking": LOOKING,
    "for workflows (nobody needs these to use the others)": FOR_WORKFLOWS,
}
INTERRUPTED = 130
HINTS = {errno.EMFILE: "ulimit -n 1024", errno.ENOSPC: 'df -h . "${TMPDIR:-/tmp}"', errno.EDQUOT: "quota"}


def entry() -> NoReturn:
    """The console script: `main`, and then the end without taking the interpreter down: 5 ms of each commit."""
    gc.set_threshold(100_000)  # a process this short makes little garbage; looking for it takes 3 ms more
    _open_streams()
    code = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except OSError as error:
        _say(f"split-ci: error: standard output: {error.strerror}")
        code = WorldError.exit_code
    os._exit(code)


def _open_streams() -> None:
    """Nothing for a standard stream that the caller closed: its number must not become that of some file.

    Where a stream is not UTF-8, what it has no letter for is written as an escape.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if number and getattr(getattr(sys, name), "encoding", "utf-8") != "utf-8":
            getattr(sys, name).reconfigure(errors="backslashreplace")
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            os.dup2(handle, number)
            if handle == number:
                os.set_inheritable(handle, True)  # as `dup2` does: a child must not take the number for some file either
            else:
                os.close(handle)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115


def main(argv: list[str] | None = None) -> int:
    """Runs one command line; the exit code is the contract of `docs/design.md`."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        return _run(argv)
    except SplitCiError as error:
        _say(f"split-ci: error: {error.message}", error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        _say("split-ci: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _say(f"split-ci: error: {where}{error.strerror or error}", HINTS.get(error.errno or 0, ""))
        return WorldError.exit_code
    except Exception as error:  # noqa: BLE001 - the funnel: a bug is written down and is exit 3, never a verdict
        from split_ci.report.crash import write_log  # noqa: PLC0415

        _say(f"split-ci: this is a bug in split-ci: {type(error).__name__}: {error}", write_log(argv))
        return 3


def _run(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        from split_ci.report.help import overview  # noqa: PLC0415

        return overview(GROUPS)
    if argv[0] == "--version":
        from split_ci.report.help import version  # noqa: PLC0415

        return version()
    name, rest = argv[0], argv[1:]
    known = EVERY_DAY + LOOKING + FOR_WORKFLOWS
    if name not in known:
        from difflib import get_close_matches  # noqa: PLC0415

        close = get_close_matches(name, known, 1)
        raise UsageError(f"there is no command {name!r}", hint=f"split-ci {close[0]}" if close else "split-ci --help")
    command = import_module(f"split_ci.commands.{name}")
    quick = getattr(command, "quick", None)
    args = (quick(rest) if quick else None) or _parsed(command, name, rest)
    if args.verbose:
        from split_ci import git  # noqa: PLC0415

        git.verbose = True
    return int(command.run(args))


def _parsed(command: ModuleType, name: str, rest: list[str]) -> Namespace:
    from argparse import ArgumentParser, RawDescriptionHelpFormatter  # noqa: PLC0415 - a hook's plain call needs none of it

    class Parser(ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UsageError(f"{name}: {message}", hint=f"split-ci {name} {_meant(message, self.format_help())}")

    doc = (command.__doc__ or "").strip()
    parser = Parser(
        prog=f"split-ci {name}", description=doc, formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="say every git command on standard error")
    formats = ("text", "json", "github") if "github" in getattr(command, "FORMATS", ()) else ("text", "json")
    parser.add_argument("--format", choices=formats, default="text", help="how to print the answer (default: text)")
    command.arguments(parser)
    return parser.parse_args(rest)


def _meant(message: str, help_: str) -> str:
    """The option that was probably meant by one that there is not, else where all of them are."""
    import re  # noqa: PLC0415
    from difflib import get_close_matches  # noqa: PLC0415

    typed = re.search(r"unrecognized arguments: (--[\w-]+)", message)
    close = get_close_matches(typed[1], re.findall(r"--[a-z-]+", help_), 1) if typed else []
    return close[0] if close else "--help"


def _say(line: str, hint: str = "") -> None:
    from split_ci.plain import inert, visible  # noqa: PLC0415 - most runs say nothing here

    text = visible(f"{line}\n  next: {hint}" if hint else line)
    try:
        print(inert(text) if os.environ.get("GITHUB_ACTIONS") else text, file=sys.stderr)
        sys.stderr.flush()
    except OSError:
        return  # it is full, and there is nobody else to tell
