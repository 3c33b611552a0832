"""Tests of the streams of other processes."""
