"""What a board says of its firmware images, as the flat detail of an `image_state` event.

For each slot `slotN_version`, `slotN_hash` (hex) and `slotN_flags`; `imageM_slotN_…` where the
board has several images. At most five slots: an event carries 16 details. Used by `board_session`.
"""

from collections.abc import Sequence
from typing import Final

from firmware_bridge.core.smp_message import ImageState
from protocol.device import Detail

SLOTS_MAX: Final = 5
_FLAGS: Final = ("active", "confirmed", "pending", "permanent", "bootable")


def image_detail(device: str, images: Sequence[ImageState]) -> Detail:
    """Of all slots, in the board's order."""
    detail: Detail = {"device": device}
    for state in images[:SLOTS_MAX]:
        slot = f"slot{state.slot % 256}"
        prefix = slot if state.image is None else f"image{state.image % 256}_{slot}"
        detail[f"{prefix}_version"] = state.version[:64]
        detail[f"{prefix}_hash"] = None if state.hash is None else state.hash[:64].hex()
        detail[f"{prefix}_flags"] = " ".join(flag for flag in _FLAGS if getattr(state, flag))
    return detail
