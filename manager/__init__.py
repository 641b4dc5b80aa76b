"""A manager's tool: seals requests, checks replies, watches the verified state."""
