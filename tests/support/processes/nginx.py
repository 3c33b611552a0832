"""nginx with the sites of a page of the documentation, on free ports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.parts import NGINX
from tests.support.processes.server import Server
from tests.support.timing import wait_until

__all__ = ["nginx_with"]

_AROUND = """
daemon off;
{user}
pid {folder}/pid;
error_log stderr warn;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/a;
    proxy_temp_path {folder}/b;
    fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d;
    scgi_temp_path {folder}/e;
    {site}
}}
"""


@contextmanager
def nginx_with(folder: Path, site: str, status: Callable[[], int]) -> Iterator[None]:
    """Run nginx, and end it gracefully.

    Args:
        folder: the folder for the files of nginx.
        site: what stands in the block ``http``.
        status: asks nginx for a page, and returns the status; raises OSError while nothing listens.
    """
    assert NGINX is not None
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "conf").write_text(_AROUND.format(folder=folder, site=site, user=user))
    command = [NGINX, "-p", str(folder), "-c", str(folder / "conf")]
    with Server(command, ready_path=None) as process:

        def answers() -> bool:
            try:
                return status() == 200
            except OSError:
                return False

        wait_until(answers, lambda: f"nginx to answer:\n{process.log}")
        yield
        assert process.terminate() == 0, process.log
