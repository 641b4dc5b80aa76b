"""Forged, altered and replayed messages against the real centre, terminals and managers' tools."""
