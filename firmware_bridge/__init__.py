"""Talks to firmware that is not ours."""
