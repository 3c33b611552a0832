"""Tests of the samples of a server with several workers."""
