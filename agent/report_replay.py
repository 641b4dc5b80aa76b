"""`outrider report replay`: how many messages a reporting policy sends for a recorded drive.

The drive goes through the terminal's own framer, gate and assembler; the policy and the reporter
are those of the daemon. Error: at each valid fix, after any report at that fix, zero delay.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.core.epoch import EpochAssembler
from agent.core.fix import Fix
from agent.core.framing import SentenceFramer
from agent.core.motion import Motion
from agent.core.nmea import SentenceGate
from agent.core.positions import position_of
from agent.core.reporting import DistanceAngle, Interval, Policy, Predict, Reporter, Sample
from protocol import envelope, position, topics
from protocol.envelope import Kind
from protocol.keys import SealKey
from protocol.words import Status, TimeTrust

POLICIES: Final = ("predict", "distance-angle", "interval")
PARKED_MPS: Final = 0.5
PUBLISH_BYTES: Final = 9  # MQTT 5 PUBLISH, QoS 0, topic alias: head 3, topic 2, properties 4
_EXAMPLE: Final = "example: outrider report replay drive.nmea --policy predict --bound 15 --json"
_CHUNK_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the policy sent for one drive, and how wrong its watcher was."""

    messages: int
    bytes: int
    bytes_per_hour: float
    error_mean_m: float
    error_p95_m: float
    error_max_m: float


def read_fixes(path: Path) -> list[Fix]:
    """Every dated fix with a place; raises OSError."""
    return [fix for fix in _decoded(path) if fix.lat_deg is not None and fix.epoch_ms is not None]


def _decoded(path: Path) -> Iterator[Fix]:
    framer, gate, assembler = SentenceFramer(), SentenceGate(), EpochAssembler(None)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            for raw in framer.feed(chunk):
                sentence = gate.accept(raw)
                if sentence is not None:
                    yield from assembler.feed(sentence)
    for raw in framer.flush():
        sentence = gate.accept(raw)
        if sentence is not None:
            yield from assembler.feed(sentence)
    yield from assembler.flush()


def replay(fixes: Sequence[Fix], policy: Policy, parked_promise_s: int) -> Replayed:
    """Send by `policy` over `fixes`; raises ValueError where there are none."""
    if not fixes:
        raise ValueError("no dated position in it")
    reporter, motion, sizes = Reporter(policy), Motion(), _Sizes()
    errors_m: list[float] = []
    for fix in fixes:
        assert fix.epoch_ms is not None
        code = motion.feed(fix)
        sample = Sample(
            fix.epoch_ms, fix.lat_deg, fix.lon_deg, fix.epoch_ms, fix.sog_mps, fix.cog_deg, code
        )
        if reporter.due(sample, 0, fix.epoch_ms):
            is_parked = (fix.sog_mps or 0.0) < PARKED_MPS
            next_s = min(policy.next_s, parked_promise_s) if is_parked else policy.next_s
            reporter.sent(sample, 0, next_s)
            sizes.add(fix, code, next_s)
        assert reporter.last is not None
        errors_m.append(policy.error_m(reporter.last, sample))
    hours = ((fixes[-1].epoch_ms or 0) - (fixes[0].epoch_ms or 0)) / 3_600_000
    errors_m.sort()
    p95 = errors_m[max(0, -(-len(errors_m) * 95 // 100) - 1)]
    return Replayed(
        sizes.count, sizes.total, round(sizes.total / max(hours, 1 / 3600), 1),
        round(sum(errors_m) / len(errors_m), 3), round(p95, 3), round(errors_m[-1], 3),
    )  # fmt: skip


class _Sizes:
    """Counts the PUBLISH packets as they would travel, sealed by a key of the replay's own."""

    def __init__(self) -> None:
        self.count = self.total = 0
        self._key = SealKey.from_seed(b"outrider report replay".ljust(32, b"."))
        self._topic = topics.terminal("replay", "replay", "position")

    def add(self, fix: Fix, motion: int, next_s: int) -> None:
        self.count += 1
        payload = position.encode(
            position_of(
                fix, time_ms=fix.epoch_ms or 0, trust=TimeTrust.GNSS, boot=1, sequence=self.count,
                status=Status.AVAILABLE, motion=motion, next_s=next_s, entry_count=self.count,
                entry_head=bytes(8),
            )
        )  # fmt: skip
        sealed = envelope.seal(Kind.POSITION, self._topic, bytes(16), payload, self._key)
        self.total += len(sealed) + PUBLISH_BYTES


def main(argv: list[str]) -> int:
    """0 done, 1 bad input, 2 wrong usage."""
    options = _parser().parse_args(argv)
    try:
        done = replay(read_fixes(options.file), _policy(options), options.parked_promise)
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else cause
        sys.stderr.write(f"{options.file}: {reason}; give a receiver log with positions\n")
        return 1
    names = Replayed.__slots__
    figures = {name: getattr(done, name) for name in names}
    if options.json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        sys.stdout.writelines(f"{name:16} {value}\n" for name, value in figures.items())
    return 0


def _policy(options: argparse.Namespace) -> Policy:
    if options.policy == "predict":
        return Predict(options.bound, options.promise)
    if options.policy == "distance-angle":
        return DistanceAngle(options.distance, options.turn, options.promise)
    return Interval(options.interval, options.distance, options.promise)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("outrider report replay", epilog=_EXAMPLE)
    parser.add_argument("file", type=Path)
    parser.add_argument("--policy", choices=POLICIES, default="predict")
    parser.add_argument("--bound", type=_metres, default=15.0, metavar="M", help="of predict")
    parser.add_argument("--distance", type=_metres, default=50.0, metavar="M")
    parser.add_argument("--turn", type=_metres, default=30.0, metavar="DEG", help="distance-angle")
    parser.add_argument("--interval", type=_metres, default=5.0, metavar="S", help="of interval")
    parser.add_argument("--promise", type=_seconds, default=30, metavar="S")
    parser.add_argument("--parked-promise", type=_seconds, default=30, metavar="S")
    parser.add_argument("--json", action="store_true")
    return parser


def _metres(value: str) -> float:
    number = float(value)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{value}: give a number above 0")
    return number


def _seconds(value: str) -> int:
    number = int(value)
    if not 1 <= number <= 30:
        raise argparse.ArgumentTypeError(f"{value}: give 1 to 30 whole seconds")
    return number
