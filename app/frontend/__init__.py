"""The files that browsers load from this server: the browser client."""
