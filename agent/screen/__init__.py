"""The officer's screen: one page, served by the agent; imported only where it is on."""
