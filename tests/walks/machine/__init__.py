"""The machine that walks drive: sockets, event loop, logs and servers, all under control."""
