"""Adapters to the machine; they know no message."""
