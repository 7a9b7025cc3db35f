"""How properties are run: without a clock, and the same examples everywhere."""

from hypothesis import settings

settings.register_profile("split-ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("split-ci")
