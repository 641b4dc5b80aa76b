"""What all tests share: the `--long` option, and where the shared data lies.

Tests marked `long` or `bare` run only with `--long`. Real recordings are no part of this
repository: a test asks for `shared_data` and is skipped, saying why, where they are absent.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`: nominal durations and counts instead of the short ones."""
    parser.addoption("--long", action="store_true", help="also run the tests marked long or bare")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--long`, skip what is marked so."""
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="only with --long")
    for item in items:
        if item.get_closest_marker("long") or item.get_closest_marker("bare"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def long_run(pytestconfig: pytest.Config) -> bool:
    """Whether nominal durations and counts were asked for."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings: OUTRIDER_DATA, else `../shared/data` beside the repository."""
    named = os.environ.get("OUTRIDER_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}: set OUTRIDER_DATA to its folder")
    return folder
