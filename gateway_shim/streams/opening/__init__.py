"""Opens streams: limits, the backend's answer, the first bytes."""
