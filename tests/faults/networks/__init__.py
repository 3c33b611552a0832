"""Networks that lose connections, and a proxy in front of the server."""
