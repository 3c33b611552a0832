"""Unit tests of the gateway: one module for each of its own."""
