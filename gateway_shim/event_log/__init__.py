"""The ordered log of events: cursors, audiences, and the two places where a log is kept."""
