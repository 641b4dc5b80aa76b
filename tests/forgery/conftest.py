"""One recording for all tests of this folder, and a clock that stands where it ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.clock import ManualClock
from tests.forgery.recording import Recording, recorded


@pytest.fixture(scope="session")
def recording() -> Iterator[Recording]:
    with recorded() as found:
        yield found


@pytest.fixture
def clock(recording: Recording) -> ManualClock:
    return ManualClock(recording.now_ms)
