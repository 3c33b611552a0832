"""Processes that tests start: servers, helpers, terminals and a stand-in for systemd."""
