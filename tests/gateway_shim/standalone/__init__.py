"""Tests of :mod:`gateway_shim.standalone`."""
