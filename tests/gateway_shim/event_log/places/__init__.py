"""Tests of the places of the log."""
