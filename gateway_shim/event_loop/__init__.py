"""gevent's event loop, made safe beside native threads and child processes."""
