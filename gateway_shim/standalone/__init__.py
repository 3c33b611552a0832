"""The standalone gateway: a process that serves streams on its own port, as the Node gateway does.

``command`` reads the settings and starts gunicorn. ``factory`` makes the gateway's objects in the
worker. ``front`` answers the requests that are not streams. ``http_backend`` sends the callbacks to
``CALLBACK_URL``.
"""
