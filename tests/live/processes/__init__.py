"""The processes of a running backend: starts, reloads, signals and child processes."""
