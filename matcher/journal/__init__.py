"""The centre's record: one schema, one way in."""
