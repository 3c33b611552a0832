"""The SSE gateway in Python: who is connected, and how bytes reach them.

Pure modules decide (:mod:`~gateway_shim.wire`, :mod:`~gateway_shim.contract`,
:mod:`~gateway_shim.stream_request`, :mod:`~gateway_shim.callbacks`,
:mod:`~gateway_shim.stream`); the others do the I/O. Nothing here imports ``app``.
"""
