"""Log lines: their format, without secrets and forgeries."""
