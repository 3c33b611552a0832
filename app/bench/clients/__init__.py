"""The processes of the bench's clients, which read streams and send events."""
