"""The whole system under faults."""
