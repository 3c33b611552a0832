"""Tests of the counts of the metrics."""
