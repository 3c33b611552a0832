"""Tests of Redis itself."""
