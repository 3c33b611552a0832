"""The backend whose operations page gets a sample four times a second."""

from __future__ import annotations

from flask import Flask

from app import create_app
from app.container import ServiceContainer

__all__ = ["INTERVAL", "create"]

INTERVAL = 0.25
"""Seconds from one sample to the next."""


def create() -> Flask:
    """Create the application."""
    ServiceContainer.operations_sampler.add_kwargs(interval=INTERVAL)
    return create_app()
