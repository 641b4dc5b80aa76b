"""Evidence exports: what the journal holds of an order or a time, as a file that proves itself."""
