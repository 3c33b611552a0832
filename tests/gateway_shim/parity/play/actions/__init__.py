"""Tests of :mod:`gateway_shim.parity.play.actions`."""
