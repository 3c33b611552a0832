"""The commands of ``sse-monolith`` that have no package of their own; one a module."""
