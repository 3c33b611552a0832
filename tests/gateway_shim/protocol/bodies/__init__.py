"""Tests of :mod:`gateway_shim.protocol.bodies`."""
