"""Keys and certificates: enrol, approve, list."""
