"""gunicorn, as streams need it."""
