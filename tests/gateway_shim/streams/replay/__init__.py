"""Tests of streams as cursors into the log."""
