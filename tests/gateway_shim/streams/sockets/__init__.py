"""Tests of :mod:`gateway_shim.streams.sockets`."""
