"""The soak test: ``python -m tests.faults.soak``."""
