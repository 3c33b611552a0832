"""Tests that keep a broadcast near the kernel's own cost: counts, and a short run of the bench."""
