"""Tests of the pages and scripts in the documentation, in a real browser."""
