"""The params of tasks: what is known of them, and what is remembered of a start."""
