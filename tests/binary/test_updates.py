"""The binary or its unpacked files change or disappear while the server runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from app.serving.gunicorn_settings import CAN_START
from tests.binary.machine import BinaryServer
from tests.support.backend_client import connect, start_task, task_story
from tests.support.http.client import BrokenHTTP, request
from tests.support.http.stream import Stream
from tests.support.timing import TIME_LIMIT, wait_until

LATE_TASK = '''
from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle


class Done(BaseModel):
    pid: int


class LateTask(BaseTask):
    """Uses modules, libraries, codecs, certificates and metadata for the first time."""

    name = "late_task"
    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Done:
        import csv, decimal, lzma, os, sqlite3, ssl, xml.etree.ElementTree, zoneinfo
        import importlib.metadata

        import certifi, charset_normalizer, idna, requests

        for encoding in ("cp1250", "shift_jis", "gb18030", "idna", "utf_7", "mac_roman"):
            "text".encode(encoding)
        assert lzma.decompress(lzma.compress(b"x")) == b"x"
        assert sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
        assert xml.etree.ElementTree.fromstring("<a/>").tag == "a"
        assert ssl.create_default_context(cafile=certifi.where()).get_ca_certs()
        requests.Session().get_adapter("https://x").cert_verify(
            type("Connection", (), {})(), "https://x", True, None
        )
        assert importlib.metadata.version("sse-monolith") != ""
        return Done(pid=os.getpid())
'''

PAGES = {
    "/static/sse-client.js": b"export function connect(",
    "/console/tasks": b"</html>",
    "/console/operations": b"</html>",
    "/console/static/console.css": b"--accent:",
}
"""Files that the server reads from its packages, and a text in each."""

FOREIGN_MODULE = """
from pathlib import Path

Path({marker!r}).touch()
raise ImportError
"""


def run_late_task(server: BinaryServer, stream: Stream) -> None:
    """Run the task, and check that it completes in the worker."""
    story = task_story(stream, start_task(server, "late_task"))
    assert story[-1]["event_type"] == "task_completed", story[-1]
    assert story[-1]["data"] == {"pid": server.worker_pid()}


def read_pages(server: BinaryServer) -> None:
    """Read the browser client and the console, and check that they are whole."""
    for path, text in PAGES.items():
        answer = request(server.port, "GET", path)
        assert (answer.status, text in answer.body) == (200, True), path


def answers(server: BinaryServer) -> bool:
    """Return True if the server answers."""
    try:
        return request(server.port, "GET", "/healthz").status == 200
    except (OSError, BrokenHTTP):
        return False


def only_folder(unpacked: Path) -> Path:
    """Return the folder into which the binary was unpacked."""
    (folder,) = unpacked.glob("_MEI*")
    return folder


def replace(program: Path, unpacked: Path) -> None:
    """Replace the program by another one, whose ``check`` would always succeed."""
    other = program.with_name("other")
    other.write_text(f'#!/bin/sh\necho "{CAN_START}"\n' + "#\n" * 100_000)
    other.chmod(0o755)
    other.rename(program)


def remove(program: Path, unpacked: Path) -> None:
    """Remove the program."""
    program.unlink()


def clean(program: Path, unpacked: Path) -> None:
    """Remove the unpacked files, as a cleaner of temporary files does."""
    shutil.rmtree(only_folder(unpacked))


def take_over(program: Path, unpacked: Path) -> None:
    """Create the folder again as another user would, with modules that the program may import."""
    folder = only_folder(unpacked)
    (extensions,) = folder.glob("python3.*/lib-dynload")
    shutil.rmtree(folder)
    text = FOREIGN_MODULE.format(marker=str(unpacked.parent / "foreign code has run"))
    for place in (folder, extensions, folder / "urllib3"):
        place.mkdir(parents=True, exist_ok=True)
        for name in ("brotli", "brotlicffi", "zstandard", "chardet", "simplejson", "_sqlite3"):
            (place / f"{name}.py").write_text(text)


REPLACED = r"reload refused, the running worker continues: \S+ was replaced; restart the service"
REMOVED = r"reload refused, the running worker continues: \S+ was removed; install it again"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [(replace, REPLACED), (remove, REMOVED), (clean, None), (take_over, None)],
)
def test_the_server_goes_on(
    binary: Path,
    tmp_path: Path,
    change: Callable[[Path, Path], None],
    refusal: str | None,
) -> None:
    """The worker, the worker of a reload, and the replacement of a killed worker all work."""
    program, unpacked, tasks = tmp_path / "program", tmp_path / "unpacked", tmp_path / "tasks"
    shutil.copy(binary, program)
    for folder in (unpacked, tasks):
        folder.mkdir()
    (tasks / "late_task.py").write_text(LATE_TASK)
    env = {
        "TMPDIR": str(unpacked),
        "APP_TASKS": "late_task:LateTask",
        "APP_TASKS_PATH": str(tasks),
    }
    with BinaryServer([program], env=env, cwd=tmp_path) as server:
        change(program, unpacked)
        with connect(server) as stream:
            stream.wait_for("version")
            run_late_task(server, stream)
        read_pages(server)

        first = server.worker_pid()
        server.send_signal(signal.SIGHUP)
        if refusal is None:
            # The check before a reload starts the program again.
            wait_until(
                lambda: not Path(f"/proc/{first}").exists(),
                "the first worker to end",
                limit=3 * TIME_LIMIT,
            )
        else:
            server.wait_for_log(refusal)
            assert server.worker_pid() == first

        second = server.worker_pid()
        os.kill(second, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{second}").exists(), "the second worker to end")
        wait_until(lambda: answers(server), "another worker to answer")
        read_pages(server)
        with connect(server) as stream:
            stream.wait_for("version")
            run_late_task(server, stream)
            server.send_signal(signal.SIGTERM)
            stream.wait_for_end()
        assert server.wait() == 0
        assert "Traceback" not in server.log
    assert not (tmp_path / "foreign code has run").exists()


def test_cleaners_that_respect_locks(binary: Path, tmp_path: Path) -> None:
    """The unpacked folder is locked, so that systemd-tmpfiles does not clean it."""
    with BinaryServer([binary], env={"TMPDIR": str(tmp_path)}, cwd=tmp_path):
        descriptor = os.open(only_folder(tmp_path), os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
