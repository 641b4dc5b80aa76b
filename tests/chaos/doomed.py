"""Runs a daemon that dies at a named point: SIGKILL before or after the Nth call of a function.

`raise` in place of `before` lets that one call fail with an error of ours instead (M20).

    python -m tests.chaos.doomed matcher.logbooks:Logbooks.send_receipt before 2 -- \
        matcher run --config matcher.toml

The daemon is the product's own, whole and unchanged; only the named function is wrapped from
outside, in this process, before it starts. So the product needs no hook, and a point that no
longer exists ends the process at once with exit code 78 instead of being passed over.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import outrider

MISSING = 78


class Doom:
    """Counts calls of one function and ends the process at the last one."""

    def __init__(self, when: str, hit: int) -> None:
        self._when, self._left = when, hit

    def strike(self, when: str) -> None:
        if when != ("before" if self._when == "raise" else self._when):
            return
        self._left -= 1
        if self._left == 0:
            if self._when == "raise":
                raise RuntimeError("an error of ours, put there by a test")
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` with the doom before and after it."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*values: Any, **named: Any) -> Any:
                self.strike("before")
                result = await function(*values, **named)
                self.strike("after")
                return result

            return awaited

        @functools.wraps(function)
        def called(*values: Any, **named: Any) -> Any:
            self.strike("before")
            result = function(*values, **named)
            self.strike("after")
            return result

        return called


def holder(point: str) -> tuple[Any, str]:
    """What holds the function named `module:Class.method` or `module:function`, and its name there.

    Raises AttributeError or ImportError where there is none.
    """
    module, _, path = point.partition(":")
    owner: Any = importlib.import_module(module)
    *between, name = path.split(".")
    for one in between:
        owner = getattr(owner, one)
    getattr(owner, name)
    return owner, name


def main(argv: list[str]) -> int:
    point, when, hit, _, *command = argv
    try:
        owner, name = holder(point)
    except (AttributeError, ImportError) as cause:
        sys.stderr.write(f"no such point: {point}: {cause}\n")
        return MISSING
    is_static = isinstance(inspect.getattr_static(owner, name), staticmethod)
    doomed = Doom(when, int(hit)).around(getattr(owner, name))
    setattr(owner, name, staticmethod(doomed) if is_static else doomed)
    return outrider.main(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
