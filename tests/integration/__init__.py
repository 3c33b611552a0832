"""Tests of the backend with each kind of gateway."""
