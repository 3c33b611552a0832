"""The SSE gateway in Python: who is connected, and how bytes reach them.

Pure modules decide (:mod:`~gateway_shim.protocol.event_stream`, :mod:`~gateway_shim.protocol.http`,
:mod:`~gateway_shim.protocol.stream_request`, :mod:`~gateway_shim.protocol.callbacks`,
:mod:`~gateway_shim.protocol.lifecycle`); the others do the I/O. Nothing here imports ``app``.
"""
