"""Tests of :mod:`gateway_shim.event_log`."""
