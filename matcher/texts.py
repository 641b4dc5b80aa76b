"""What dispatchers read of an alert: its name in the codebook in force."""

from __future__ import annotations

from protocol.codebook_model import Codebook
from protocol.codebook_shipped import shipped


def alert_title(codes: Codebook, kind: str) -> tuple[str, str]:
    """(English, Chinese). A codebook older than an alert leaves it to what comes with Outrider.

    A terminal's own alarm code that neither knows is shown as it is.
    """
    found = codes.alerts.get(kind) or shipped().alerts.get(kind)
    return (kind, kind) if found is None else (found.en, found.zh)
