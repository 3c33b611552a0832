"""Tests of the parts of the connection manager."""
