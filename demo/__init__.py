"""Plays callers, dispatchers and officers on the real system."""
