"""Tests of faults: crashes, deployments, hostile clients, floods, and failing dependencies."""
