"""The terminal's daemon."""
