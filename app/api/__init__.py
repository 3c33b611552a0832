"""The HTTP API, one blueprint a module. Views check and translate; services decide."""
