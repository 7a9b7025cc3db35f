"""Audit: where an expensive model did cheap work.

Without a file it looks in the ledger: the architect's model typing, a model paid for what was exact, reviews of results
that were exact to the byte. With files or folders it reads the sessions of a coding agent (Claude Code, Codex) and sums
reading, thinking, running and typing. It shows sums and names of files, and nothing that was said in them.

examples:
  split-ci audit                                the ledger of this repository
  split-ci audit ~/.claude/projects             every session of Claude Code
  split-ci audit ~/.codex/sessions --format json
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "where an expensive model did cheap work, in the ledger or in session files"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("transcripts", nargs="*", metavar="TRANSCRIPT", help="session files, or folders of them (.jsonl)")


def run(args: Namespace) -> int:
    from split_ci.config import find_config
    from split_ci.git import Repo
    from split_ci.report.audit import show
    from split_ci.steps.audit import audit_ledger, audit_transcripts

    repo = Repo.find()
    config = find_config(repo)
    found = audit_transcripts(args.transcripts, config) if args.transcripts else audit_ledger(repo, config)
    show(found, args.format)
    return 4 if found.unread and len(found.unread) == found.transcripts else 0
