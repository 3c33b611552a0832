"""The sockets beneath streams: one that is still the server's, and one over TLS."""
