"""The side of a gateway that is reached over HTTP: its sends, and its readiness."""
