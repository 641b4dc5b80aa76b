"""The terminal's decisions: pure."""
