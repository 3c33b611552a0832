"""A backend that publishes numbers, a proxy that makes faults, and tabs that record."""
