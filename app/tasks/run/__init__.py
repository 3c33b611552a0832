"""One run of a task: its body, its events, its outcome, its record."""
