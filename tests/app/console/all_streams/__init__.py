"""Tests of the table of streams of all processes."""
