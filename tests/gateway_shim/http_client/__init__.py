"""Tests of :mod:`gateway_shim.http_client`."""
