"""`outrider doctor [--config FILE]`: looks at everything, says each fault with its remedy.

0: all well; 1: something is to be done; 2: wrong usage. Which part the file belongs to shows in its
keys. Called by the `outrider` command; on a computer of one part the other's code is not loaded.
"""

import argparse
import asyncio
import tomllib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from doctor import who
from doctor.core.finding import Finding, fault, ok
from doctor.faults import of_fault
from doctor.report import as_json, as_text, is_well
from runtime import log
from runtime import settings as settings_file
from runtime.clock import SystemClock
from runtime.faults import ConfigFault

DEFAULT_CONFIG: Final = Path("/etc/outrider/agent.toml")
_KEYS_OF: Final = {
    "matcher": frozenset({"files", "unit", "mode", "statistics_s", "position_commit_ms"}),
    "bridge": frozenset({"board", "recorder", "agent"}),
}
_EPILOG: Final = """ok: as it should be; warn: works now, and not for long; fault: does not work.
Beside a running daemon its port and its session are left alone.

examples:
  sudo outrider doctor
  sudo outrider doctor --config /etc/outrider/matcher.toml
  outrider doctor --config agent.toml --json"""


def main(argv: list[str]) -> int:
    """Returns the exit code."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    log.start("critical")  # what a part would log, its finding says
    part = _part_of(arguments.config)
    try:
        findings = _examine(part, arguments.config, arguments.user)
    except ConfigFault as cause:
        findings = [of_fault("settings", cause)]
    print(as_json(part, findings) if arguments.json else as_text(findings))  # noqa: T201
    return 0 if is_well(findings) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="outrider doctor",
        description="Port, GNSS, clock, keys, broker, disk, permissions: faults and remedies.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE",
        help=f"an agent's, a matcher's or a bridge's settings (default: {DEFAULT_CONFIG})",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument(
        "--user", metavar="NAME", help="look as this user (default: an installed daemon's own)"
    )
    return parser


def _part_of(config: Path) -> str:
    """By the keys of the file; what cannot be read is told by the settings check."""
    try:
        keys = set(tomllib.loads(config.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, RecursionError):
        return "agent"
    return next((part for part, known in _KEYS_OF.items() if keys & known), "agent")


def _examine(part: str, config: Path, user: str | None) -> list[Finding]:
    """Raises ConfigFault where the settings are wrong."""
    clock = SystemClock()
    checks: Coroutine[Any, Any, list[Finding]]
    try:
        match part:
            case "matcher":
                from doctor import matcher_checks  # noqa: PLC0415 - each on its own computer
                from matcher.settings import MatcherSettings  # noqa: PLC0415

                who.become(user, config, matcher_checks.DAEMON_USER)
                centre = settings_file.load(config, MatcherSettings)
                checks = matcher_checks.check_matcher(centre, clock)
            case "bridge":
                from doctor import bridge_checks  # noqa: PLC0415
                from firmware_bridge.settings import BridgeSettings  # noqa: PLC0415

                who.become(user, config, bridge_checks.DAEMON_USER)
                checks = bridge_checks.check_bridge(settings_file.load(config, BridgeSettings))
            case _:
                from agent.settings import AgentSettings  # noqa: PLC0415
                from doctor import agent_checks  # noqa: PLC0415

                who.become(user, config, agent_checks.DAEMON_USER)
                terminal = settings_file.load(config, AgentSettings)
                checks = agent_checks.check_agent(terminal, clock)
    except ModuleNotFoundError as cause:
        remedy = f"look from the computer that runs the {part}"
        return [fault("settings", f"{config} is a {part}'s, and {cause}", remedy)]
    return [ok("settings", str(config)), *asyncio.run(checks)]
