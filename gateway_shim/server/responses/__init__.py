"""Sends answers, bounded in time and memory."""
