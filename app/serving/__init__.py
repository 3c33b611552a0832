"""The connection between the backend and gunicorn: settings, runtime, announcement."""
