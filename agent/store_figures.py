"""What the store tells of itself: bytes written, a day's worth of them, the slowest commit.

Called by `agent.app` for the health entry and for `outrider agent status`.
"""

from collections.abc import Callable

from agent.core.wear import Wear, Written
from runtime.store import Store


class StoreFigures:
    """`uptime_ms` is the boot-time clock."""

    def __init__(self, store: Store, uptime_ms: Callable[[], int]) -> None:
        self._store, self._uptime_ms = store, uptime_ms
        self._wear = Wear(uptime_ms())

    def day(self) -> dict[str, int]:
        """Bytes a day as they were given to write calls, and in the kernel's whole pages."""
        store = self._store
        written = Written(store.bytes_written or 0, store.bytes_to_disk or 0)
        self._wear.note(self._uptime_ms(), written)
        day = self._wear.per_day()
        if day is None:
            return {}
        return {
            "written_day_bytes": day.given_bytes,
            "written_day_rounded_bytes": day.rounded_bytes,
        }

    def figures(self) -> dict[str, int]:
        """For the health entry; the slowest commit is that since it was last asked."""
        store = self._store
        return {
            "written_bytes": store.bytes_written or 0,
            "written_rounded_bytes": store.bytes_to_disk or 0,
            "slowest_commit_ms": round(store.take_slowest_commit_ms()),
            **self.day(),
        }
