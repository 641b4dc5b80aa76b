"""This release: its name in the first entry of each boot, and the floor of its clock."""

from typing import Final

VERSION: Final = "0.1.0"
BUILT_MS: Final = 1_782_864_000_000  # 2026-07-01: no release is older than its own sources
