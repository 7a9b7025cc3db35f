"""How properties are run: without a clock, and the same examples everywhere. And signals as a person at a terminal has them."""

import signal

from hypothesis import settings

settings.register_profile("split-ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("split-ci")

# What starts the tests may ignore them (nohup, a script's background), and a child would inherit that.
for _number, _default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _default)
