"""A process under a wrong system clock: a library put before libc shifts what it is told.

Only the wall clock is shifted, and what the kernel says about its being synchronised; the boot-time
clock, every other process and the receiver keep true time. Both can be changed while it runs.
Needs a C compiler; tests skip, saying so, where there is none.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.rim.daemon import Daemon

HOUR_S = 3600.0
YEAR_S = 365.25 * 86_400
_CELL_BYTES = 16
_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static volatile long long *cell;            /* [0] shift in ns, [1] synchronised */

__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("CLOCK_CELL"), O_RDONLY);
    cell = mmap(0, 16, PROT_READ, MAP_SHARED, file, 0);
    close(file);
}

int clock_gettime(clockid_t id, struct timespec *at) {
    long done = syscall(SYS_clock_gettime, id, at);
    if (done == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        long long ns = at->tv_sec * 1000000000LL + at->tv_nsec + cell[0];
        at->tv_sec = ns / 1000000000LL;
        at->tv_nsec = ns % 1000000000LL;
    }
    return done;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

int adjtimex(struct timex *buffer) { (void)buffer; return cell[1] ? TIME_OK : TIME_ERROR; }
"""


class ClockCell:
    """The clock of the processes that run `under` it; true and not synchronised at first."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("a wrong system clock needs a C compiler (cc)")
        source, self._library = folder / "clock_cell.c", folder / "clock_cell.so"
        source.write_text(_SOURCE)
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source)], check=True
        )
        self._path = folder / "clock_cell"
        self._path.write_bytes(bytes(_CELL_BYTES))
        with self._path.open("r+b") as file:
            self._cell = mmap.mmap(file.fileno(), _CELL_BYTES)

    def set(self, shift_s: float, *, is_synchronized: bool = False) -> None:
        """The clock is `shift_s` ahead of true time from now on."""
        struct.pack_into("=q", self._cell, 8, int(is_synchronized))
        struct.pack_into("=q", self._cell, 0, round(shift_s * 1e9))

    def under(self, daemon: Daemon) -> None:
        """From its next start on."""
        library = f"LD_PRELOAD={self._library}"
        daemon.argv[:] = ["/usr/bin/env", library, f"CLOCK_CELL={self._path}", *daemon.argv]
