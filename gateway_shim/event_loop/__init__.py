"""Makes gevent's event loop safe to use beside native threads and child processes."""
