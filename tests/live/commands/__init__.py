"""The commands that start a server: ``serve`` and ``flask run``."""
