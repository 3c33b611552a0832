"""Metrics for tests and for programs without metrics."""

from __future__ import annotations

__all__ = ["NullMetrics"]


class NullMetrics:
    """Metrics that measure nothing."""

    def connection_opened(self) -> None:
        """Count nothing."""

    def connection_closed(self) -> None:
        """Count nothing."""

    def set_active_connections(self, count: int) -> None:
        """Set nothing."""

    def event_sent(self, service: str, status: str, seconds: float) -> None:
        """Count nothing."""

    def broadcast_finished(self, streams: int, seconds: float) -> None:
        """Count nothing."""

    def append_failed(self) -> None:
        """Count nothing."""

    def task_finished(self, task_type: str, status: str, seconds: float) -> None:
        """Count nothing."""

    def tasks_active(self, running: int, waiting: int) -> None:
        """Set nothing."""

    def loop_measured(self, longest: float, blocked: float) -> None:
        """Report nothing."""
