"""Travel times: pure."""
