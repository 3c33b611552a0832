"""The streams of the other processes of the server, and questions to these processes."""
