from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.forges.hub import Hub
from tests.github import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path)
    with serving(made.bare) as made.server:
        yield made
