"""What travels, and the words: pure, no I/O, no clock."""
