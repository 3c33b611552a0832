"""Tests of :mod:`gateway_shim.server.connections`."""
