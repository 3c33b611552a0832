"""The server's processes: signals, forks, descriptors, memory."""
