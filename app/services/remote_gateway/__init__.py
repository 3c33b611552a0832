"""Reaches a gateway that runs in another process, over HTTP."""
