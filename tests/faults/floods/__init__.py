"""Attacks in bulk. These tests measure times, so they run alone."""
