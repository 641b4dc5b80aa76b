"""Hardware in the loop: emulated devices; shares no code with the product."""
