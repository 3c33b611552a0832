"""The streams of one process, on gevent."""
