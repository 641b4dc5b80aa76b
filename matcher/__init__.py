"""The centre: verify, decide, journal."""
