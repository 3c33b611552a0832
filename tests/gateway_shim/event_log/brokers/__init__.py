"""Tests of the engine that orders for many servers."""
