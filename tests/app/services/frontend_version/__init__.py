"""Tests of the sources of the frontend version."""
