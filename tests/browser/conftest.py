"""Chromium of Debian's package, unpacked when this suite runs, driven by Playwright."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.agent.process import REPOSITORY
from tests.browser.car import Car, car_in

# What a 7 inch display of 1024 x 600 is: 15 mm are 101 px.
VIEW_PX = (1024, 600)
PX_OF_15_MM = 15 / 25.4 * (VIEW_PX[0] ** 2 + VIEW_PX[1] ** 2) ** 0.5 / 7
PACKAGES = "chromium+chromium-common+libvorbis0a+libvorbisenc2"
FLAGS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of a module, not longer: while it lives no other test of the process can run a loop."""
    done = subprocess.run(
        [str(REPOSITORY / "run"), "unpack", PACKAGES, "lib/chromium/chromium"],
        capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no Chromium: {done.stderr.strip().splitlines()[-1:]}")
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with sync_playwright() as play:
        one = play.chromium.launch(
            executable_path=done.stdout.strip(), args=[*FLAGS, *sandbox], timeout=30_000
        )
        yield one
        one.close()


@pytest.fixture(scope="module")
def car(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Car]:
    """One car for a module: its agent runs, nobody is logged on."""
    with car_in(tmp_path_factory.mktemp("car")) as one:
        one.start()
        yield one


@pytest.fixture
def page(car: Car, browser: Browser) -> Iterator[Page]:
    """The car's display; a fault of the page's script fails the test."""
    context = browser.new_context(viewport={"width": VIEW_PX[0], "height": VIEW_PX[1]})
    one = context.new_page()
    faults: list[str] = []
    one.on("pageerror", lambda fault: faults.append(str(fault)))
    one.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    one.set_default_timeout(10_000)
    one.goto(car.url)
    one.wait_for_selector("#status:not(:empty)")
    yield one
    context.close()
    # an agent that was away: no connection, then one that does not know the old token
    away = ("ERR_CONNECTION_", "ERR_INCOMPLETE_CHUNKED_ENCODING", "status of 403")
    assert not [fault for fault in faults if not any(word in fault for word in away)], faults
