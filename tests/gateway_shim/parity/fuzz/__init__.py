"""Tests of :mod:`gateway_shim.parity.fuzz`."""
