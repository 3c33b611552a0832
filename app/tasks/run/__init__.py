"""The parts of one run of a task: its body, its events, its outcome, its record."""
