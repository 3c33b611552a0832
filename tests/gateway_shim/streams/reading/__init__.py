"""Tests of reading a gateway."""
