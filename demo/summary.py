"""What a run of the demo counted: the object that `--json` prints, with or without a story."""

from __future__ import annotations

from typing import Any

from demo.world import World


def summary(world: World) -> dict[str, Any]:
    """Counts, response times (s) and refused messages, from what the desk was told."""
    picture, counts = world.desk.picture, world.desk.picture.statistics
    return {
        "incidents": len(picture.incidents),
        "attended": len(picture.attended),
        "orders": sum(counts.orders_by_state.values()) if counts else 0,
        "positions": counts.positions if counts else 0,
        "response_s": {
            "p50": counts.response_s.p50 if counts else None,
            "p90": counts.response_s.p90 if counts else None,
        },
        "refused": world.refused(),
    }
