"""The broker's two lists, the proof that it uses them, and the end of revoked sessions."""
