"""The servers of processes: the only place that knows whether a process is on this server.

A *server* is an arbiter and its workers. They share a directory: the memory of the server
(:mod:`app.state`) and the files of the log. Servers share only the log. Where the log is that of
many servers, the name of each process ends with that of its server: ``p-17-0123456789ab@server``.
"""

from __future__ import annotations

from gateway_shim.streams.peers.peers import Peers

__all__ = ["is_on_this_server", "processes_of_other_servers", "server_of"]


def server_of(process: str) -> str:
    """Return the name of a process's server; empty if the log is that of one server.

    Args:
        process: the name of the process.
    """
    return process.rpartition("@")[2] if "@" in process else ""


def is_on_this_server(peers: Peers, process: str) -> bool:
    """Return whether a process is on the server of this process.

    Args:
        peers: the processes that share the log.
        process: the name of the process.
    """
    return server_of(process) == server_of(peers.process)


def processes_of_other_servers(peers: Peers) -> dict[str, list[str]]:
    """Return the processes of each other server that runs, by the server's name. Never blocks.

    Args:
        peers: the processes that share the log.
    """
    servers: dict[str, list[str]] = {}
    here = server_of(peers.process)
    if not here:
        return servers
    for process in sorted(peers.others()):
        if (server := server_of(process)) != here:
            servers.setdefault(server, []).append(process)
    return servers
