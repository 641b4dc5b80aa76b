"""The centre's decisions: pure."""
