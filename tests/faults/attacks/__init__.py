"""The attacks of hostile clients, each of which runs in a process of its own."""
