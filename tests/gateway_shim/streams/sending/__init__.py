"""Tests of the receivers of events, and their turns."""
