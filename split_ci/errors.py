"""What can go wrong, grouped by who must act.

    SplitCiError            never raised itself
    ├── UsageError     2    the person at the keyboard: wrong words, wrong place, wrong configuration
    ├── Refused        1    the author of the input: it was read and the answer is no
    ├── WorldError     4    the world outside: a model, a forge, the network, the disk; says if trying again helps
    └── (anything else) 3   us: a bug, written to a log

Outcomes of a dispatch are values (`ports.Outcome`), not errors: one spec's failure never ends the others.
"""


class SplitCiError(Exception):
    """A failure with one line for people: `message` names the file and the rule, `hint` the next command to type."""

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(SplitCiError):
    """The command line, the directory or `.split-ci.yaml` is not usable as it is."""

    exit_code = 2


class Refused(SplitCiError):
    """The input was read, and it breaks a rule."""

    exit_code = 1


class WorldError(SplitCiError):
    """Something outside of split-ci did not do its part."""

    exit_code = 4

    def __init__(self, message: str, *, hint: str = "", again: bool = False) -> None:
        super().__init__(message, hint=hint or ("try again later" if again else ""))
        self.again = again
