"""Tests of :mod:`gateway_shim.log_lines`."""
