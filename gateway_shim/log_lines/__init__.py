"""Log lines: their format, without secrets and without forged lines."""
