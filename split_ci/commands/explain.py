"""Say what a problem means, show an example, and how to mend it.

examples:
  split-ci explain           every code, with its title
  split-ci explain SP302     one of them
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "what a problem means, an example, the fix"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("code", nargs="?", metavar="CODE", help="the code of a problem (default: list them)")


def run(args: Namespace) -> int:
    from split_ci.problems import CODES
    from split_ci.report.explain import show_all, show_one

    if args.code is None:
        show_all(args.format)
        return 0
    code = args.code.strip().upper()
    if code not in CODES:
        from difflib import get_close_matches

        from split_ci.errors import UsageError

        close = get_close_matches(code, CODES, 1)
        raise UsageError(
            f"there is no problem {args.code!r}", hint=f"split-ci explain {close[0]}" if close else "split-ci explain"
        )
    show_one(code, args.format)
    return 0
