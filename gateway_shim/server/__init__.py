"""The server: gunicorn, configured and extended for streams."""
