"""Runs atheris over the pipeline: `python -m tests.fuzz.with_atheris CORPUS_COPY -runs=N …`.

Coverage leads it to new branches; `hostile.mutate` gives it sentences that pass the checksum. Ends
with 0 after the runs; libFuzzer ends it with another code at the first input that must not be.
"""

from __future__ import annotations

import random
import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["agent.core"]):
    from tests.fuzz.pipeline import Pipeline

from tests.fuzz import hostile

_SEEDS = hostile.seeds()
_PIPELINE = Pipeline()


def _mutate(data: bytes, size_max: int, seed: int) -> bytes:
    """Half of the inputs by libFuzzer's own mutations, half by ours."""
    if seed % 2:
        return bytes(atheris.Mutate(data, size_max))
    return hostile.mutate(data, _SEEDS, random.Random(seed))[:size_max]


if __name__ == "__main__":
    atheris.Setup(sys.argv, _PIPELINE.take, custom_mutator=_mutate)
    atheris.Fuzz()
