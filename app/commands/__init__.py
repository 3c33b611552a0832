"""The commands of ``sse-monolith`` that have no separate package; one command per module."""
