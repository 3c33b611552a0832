"""Asks the backend about streams, tells it of their ends, and notices its restarts."""
