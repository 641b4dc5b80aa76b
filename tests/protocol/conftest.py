"""Drawn examples have no deadline each: a busy computer is no finding. pytest's timeout holds."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("protocol", deadline=None)
settings.load_profile("protocol")
