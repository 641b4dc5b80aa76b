"""`outrider doctor`: what is wrong with this terminal or centre, and what to do about it."""
