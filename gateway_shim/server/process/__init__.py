"""The server's processes: their signals, forks, descriptors, memory and ends."""
