"""Codecs and sessions of devices: pure."""
