"""What is done now and then: health figures, pruning, the clock floor, orders that run out."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from agent.core import orders
from agent.identity import BrokerCertificate
from agent.seals import Seals
from agent.terminal import Terminal
from agent.waiting import wait_at_most
from protocol.entry import Alarm, Health
from runtime.faults import StoreBusy, StoreFull
from runtime.log import get_log

log = get_log("housekeeping")

PRUNE_EVERY_S: Final = 3600.0
LOOK_AGAIN_S: Final = 1.0
IDLE_S: Final = 60.0
FIGURES_MAX: Final = 64
NAME_CHARS_MAX: Final = 48
BROKER_DAYS: Final = 7


async def keep_orders_current(terminal: Terminal) -> None:
    """Show what waited for trusted time, close what has run out, when its time comes."""
    changed = asyncio.Event()
    terminal.on_change(changed.set)
    while True:
        try:
            await terminal.time_trusted()
        except (StoreFull, StoreBusy):
            log.debug("orders_not_kept")
        changed.clear()
        await wait_at_most(changed, _wait_s(terminal))


async def report_health(
    terminal: Terminal, figures: Callable[[], Mapping[str, int]], interval_s: Callable[[], float]
) -> None:
    """A Health entry each `interval_s`, which a configuration may change at any time."""
    waited_s = 0.0
    while True:
        await asyncio.sleep(LOOK_AGAIN_S)
        waited_s += LOOK_AGAIN_S
        if waited_s >= interval_s():
            waited_s = 0.0
            await terminal.note(health_of(figures()))


def health_of(figures: Mapping[str, int]) -> Health:
    """The figures by name; of too many the smallest give way, and their number is told."""
    found = [(name[:NAME_CHARS_MAX], max(0, value)) for name, value in figures.items()]
    if len(found) > FIGURES_MAX:
        found.sort(key=lambda pair: -pair[1])
        found[FIGURES_MAX - 1 :] = [("figures_left_out", len(found) - FIGURES_MAX + 1)]
    return Health(tuple(sorted(found)))


async def watch_dates(terminal: Terminal, seals: Seals, broker: BrokerCertificate) -> None:
    """What ends and is told in time: the centre's role keys, and the broker's certificate."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_watch_role_keys(terminal, seals))
        tasks.create_task(_watch_broker(broker))


async def _watch_broker(broker: BrokerCertificate) -> None:
    """One line in its last week: afterwards no terminal connects. The centre raises the alert."""
    told_ms: int | None = None
    while True:
        days = broker.days_left()
        if days is not None and days < BROKER_DAYS and broker.ends_ms != told_ms:
            told_ms = broker.ends_ms
            log.error("broker_certificate_ends", days=days, remedy="authority rotate")
        await asyncio.sleep(LOOK_AGAIN_S)


async def _watch_role_keys(terminal: Terminal, seals: Seals) -> None:
    """An alarm, once for a trust document, when the centre's keys hold on grace only.

    The centre says so too: a whole fleet that repeats it would bury other alarms.
    """
    told_version = 0
    while True:
        now = terminal.timekeeper.now()
        ended = seals.ended_roles(now.utc_ms) if now.trusted else ()
        if ended and told_version != seals.trust_version:
            told_version = seals.trust_version
            log.error("role_keys_ended", roles=",".join(ended), remedy="a new trust document")
            text = f"keys of {', '.join(ended)} are past their end; they hold 72 h more"
            await terminal.note(Alarm("role_keys_ended", text))
        await asyncio.sleep(IDLE_S if now.trusted else LOOK_AGAIN_S)


async def prune_and_save(terminal: Terminal) -> None:
    """Forget what was receipted a week ago, and keep the clock's floor."""
    while True:
        await asyncio.sleep(PRUNE_EVERY_S)
        now = terminal.timekeeper.now()
        try:
            if now.trusted:
                terminal.timekeeper.raise_floor(now.utc_ms)
                await terminal.logbook.prune(now.utc_ms)
            await terminal.logbook.keep_floor(terminal.timekeeper.floor_ms)
            terminal.logbook.hold_reserve()
        except (StoreFull, StoreBusy):
            log.debug("not_pruned")


def _wait_s(terminal: Terminal) -> float:
    desk, now = terminal.state.desk, terminal.timekeeper.now()
    if any(card.kept is not None for card in desk.cards.values()):
        return LOOK_AGAIN_S
    expiry_ms = orders.next_expiry_ms(desk)
    if expiry_ms is None or not now.trusted:
        return IDLE_S
    return min(IDLE_S, max(LOOK_AGAIN_S / 10, (expiry_ms - now.utc_ms) / 1000))
