"""Tests of :mod:`gateway_shim.streams.opening`."""
