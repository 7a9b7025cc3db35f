"""Expensive models judge, cheap ones type: specs proved, dispatched, reviewed and coached from a git repository."""

__version__ = "0.1.0"
