"""Tests of the browser client: one stream for all tabs, and not one event missing or double."""
