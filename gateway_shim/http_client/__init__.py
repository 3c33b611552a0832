"""The HTTP client: callbacks, sends, and every other request to another server."""
