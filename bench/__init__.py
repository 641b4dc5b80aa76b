"""Benchmarks beside peers and limits."""
