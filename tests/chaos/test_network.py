"""N1-N11, N14: terminals' lines fail in every way at once, while calls are answered all the same.

Nine terminals share one world; each fault has its own line (network_faults.py, long_silence.py,
name_faults.py) and runs beside the others, so the suite lasts as long as its longest fault. Every
test below waits for its fault's outcome; the last ones look at the whole.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from hil.tcp_proxy import TcpProxy
from tests.chaos import name_faults, network_faults
from tests.chaos.lines import Line
from tests.chaos.long_silence import long_silence
from tests.chaos.name_faults import NoOwnResolver
from tests.chaos.scene import Scene

pytestmark = [pytest.mark.xdist_group("chaos-network"), pytest.mark.timeout(900)]

Plan = tuple[str, Callable[[], None]]

SEED = 31
CONTROL = "609"
LINED = ("601", "602", "603", "604", "605", "606", "607", "608")
FAULT_S = 800.0


@dataclass
class Night:
    """The scene, and the outcome of each fault by its name."""

    scene: Scene
    outcomes: dict[str, Future[None]] = field(default_factory=dict)

    def outcome(self, fault: str) -> None:
        """Raises what went wrong."""
        self.outcomes[fault].result(FAULT_S)


def _tune(scene: Scene) -> None:
    # the control stands on a busy machine: its promise is wide enough never to be missed there
    scene.tune(CONTROL, "report", lease_s=20)
    for unit in ("604", "605"):  # their lines are slower than the short times of the others
        scene.tune(unit, "broker", keepalive_s=10, connect_timeout_s=20)
    scene.tune("606", "broker", handshake_interval_s=network_faults.HANDSHAKE_EVERY_S)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, long_run: bool) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("night")
    with (
        Scene(*LINED, CONTROL, seed=SEED, lined=LINED) as scene,
        name_faults.own_resolver(scene, "608") as names,
        ThreadPoolExecutor(len(LINED)) as pool,
    ):
        _tune(scene)
        scene.start()
        for unit in ("605", "607"):  # get their orders from the desk, when their fault says so
            scene.desk.done("hold", unit=unit, on=True)
        made = Night(scene)
        rngs = {unit: random.Random(scene.rng.random()) for unit in LINED}
        plans = (
            ("N1", "601", lambda: network_faults.reset_at_a_random_byte(scene, "601", rngs["601"])),
            ("N11", "601", lambda: network_faults.captive_portal(scene, "601", folder)),
            ("N14", "601", lambda: network_faults.flipped_bits(scene, "601", rngs["601"])),
            ("N2", "602", lambda: network_faults.black_hole(scene, "602", "N2", down=True)),
            ("N6", "602", lambda: network_faults.dribble(scene, "602")),
            ("N3", "603", lambda: network_faults.black_hole(scene, "603", "N3", down=False)),
            ("N4", "603", lambda: network_faults.half_open(scene, "603")),
            ("N5", "604", lambda: network_faults.bad_line(scene, "604", rngs["604"])),
            ("N7", "605", lambda: network_faults.slow_line(scene, "605")),
            ("N8", "606", lambda: network_faults.flap(scene, "606", rngs["606"], long_run)),
            ("N9", "607", lambda: long_silence(scene, "607")),
            ("N10", "608", lambda: name_faults.name_faults(scene, "608", names)),
        )
        for unit in LINED:  # one line's faults one after the other, the lines beside each other
            own = [(name, run) for name, of, run in plans if of == unit]
            made.outcomes |= _in_turn(pool, scene.line(unit), own)
        yield made


def _in_turn(pool: ThreadPoolExecutor, line: Line, plans: list[Plan]) -> dict[str, Future[None]]:
    outcomes: dict[str, Future[None]] = {name: Future() for name, _ in plans}

    def run_all() -> None:
        for name, run in plans:
            try:
                run()
            except BaseException as fault:  # noqa: BLE001 - raised again by the fault's own test
                outcomes[name].set_exception(fault)
            else:
                outcomes[name].set_result(None)
            line.do(TcpProxy.heal)

    pool.submit(run_all)
    return outcomes


def test_n1_reset_at_a_random_byte(night: Night) -> None:
    night.outcome("N1")


def test_n2_black_hole(night: Night) -> None:
    night.outcome("N2")


def test_n3_uplink_lost(night: Night) -> None:
    night.outcome("N3")


def test_n4_half_open(night: Night) -> None:
    night.outcome("N4")


def test_n5_loss_delay_and_jitter(night: Night) -> None:
    night.outcome("N5")


def test_n6_dribble(night: Night) -> None:
    night.outcome("N6")


def test_n7_slow_line_orders_first(night: Night) -> None:
    night.outcome("N7")


def test_n8_flapping(night: Night) -> None:
    night.outcome("N8")


def test_n9_eight_hours_offline(night: Night) -> None:
    night.outcome("N9")


def test_n10_names(night: Night) -> None:
    try:
        night.outcome("N10")
    except NoOwnResolver as cause:
        pytest.skip(str(cause))


def test_n11_captive_portal(night: Night) -> None:
    night.outcome("N11")


def test_n14_bits_flipped_inside_tls(night: Night) -> None:
    night.outcome("N14")


def test_the_others_never_felt_it(night: Night) -> None:
    """A fault at one terminal changes nothing for another unit."""
    for name in night.outcomes:
        night.outcomes[name].exception(FAULT_S)
    shown = [
        one["properties"]["freshness"]
        for kind, one in night.scene.desk.history
        if kind == "unit" and one["id"] == CONTROL and one["properties"]["logon"] is not None
    ]
    begun = shown.index("live")
    assert set(shown[begun:]) == {"live"}


def test_nothing_is_lost_doubled_or_shown_wrongly(night: Night) -> None:
    for name in night.outcomes:
        night.outcomes[name].exception(FAULT_S)
    scene = night.scene
    for unit in ("605", "607"):
        scene.desk.done("hold", unit=unit, on=False)
    scene.settle()
    assert scene.journal().states()["cleared"] >= len(LINED), "too little was going on"
    scene.check()
    scene.check_at_the_end()
