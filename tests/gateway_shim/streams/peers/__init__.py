"""Tests of what processes tell and ask each other."""
