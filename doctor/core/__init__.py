"""Facts to findings: pure, so that every verdict can be tried without the fault."""
