"""The HTTP API: one blueprint for each module. Views check and translate; services decide."""
