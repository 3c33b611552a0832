"""The canary: a process that measures how fast a server answers while a test loads it."""
