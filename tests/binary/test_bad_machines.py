"""Machines with a problem, on which the binary works or names its requirement."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.binary.machine import bare_root, run

pytestmark = pytest.mark.usefixtures("as_root")


READ_ONLY = "mount --bind {0} {0} && mount -o remount,bind,ro {0}"


def in_namespace(binary: Path, *mounts: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run ``version`` after private mounts, and return its status and its first line.

    Args:
        binary: the path of the binary.
        *mounts: shell commands that mount.
        env: the environment of the binary.
    """
    script = "\n".join([*mounts, 'exec "$0" version'])
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    ran = run(["unshare", "--mount", "sh", "-ec", script, binary], env=path | (env or {}))
    return ran.returncode, (ran.stdout + ran.stderr).splitlines()[0]


def works(outcome: tuple[int, str]) -> bool:
    """Return True if ``version`` printed the version."""
    return outcome[0] == 0 and outcome[1].startswith("sse-monolith ")


def test_tmp_is_read_only(binary: Path) -> None:
    """If /tmp is read-only, the binary uses the next usual folder."""
    assert works(in_namespace(binary, READ_ONLY.format("/tmp")))


def test_nowhere_to_write(binary: Path) -> None:
    """Without a writable folder, the binary ends with an error, and TMPDIR helps."""
    mounts = [READ_ONLY.format(folder) for folder in ("/tmp", "/var/tmp")]
    status, line = in_namespace(binary, *mounts)
    assert status == 255
    assert re.fullmatch(r"\[PYI-\d+:ERROR\] Could not create temporary directory!", line)
    assert works(in_namespace(binary, *mounts, env={"TMPDIR": "/dev/shm"}))


def test_tmp_is_tiny(binary: Path, tmp_path: Path) -> None:
    """If the folder is too small, the binary ends with an error that names the file."""
    status, line = in_namespace(
        binary, f"mount -t tmpfs -o size=4m none {tmp_path}", env={"TMPDIR": str(tmp_path)}
    )
    assert status == 255
    assert re.match(r"\[PYI-\d+:ERROR\] Failed to extract ", line)


def test_tmp_may_not_be_executed(binary: Path, tmp_path: Path) -> None:
    """If the folder is mounted with noexec, the binary ends with the error of the kernel."""
    status, line = in_namespace(
        binary, f"mount -t tmpfs -o noexec none {tmp_path}", env={"TMPDIR": str(tmp_path)}
    )
    assert status != 0
    assert line.endswith("failed to map segment from shared object")


@pytest.mark.parametrize(
    "env", [{}, {"LANG": "C"}, {"LC_ALL": "xx_YY.nonsense"}, {"HOME": "/nowhere"}]
)
def test_no_home_and_no_locale(binary: Path, env: dict[str, str]) -> None:
    """The binary needs no home folder and no locale."""
    assert works(in_namespace(binary, env=env))


def test_a_user_without_a_name(binary: Path, tmp_path: Path) -> None:
    """A command works for a user without a name, as ``serve`` does in test_serving.py."""
    root = bare_root(binary, tmp_path / "root")
    ran = run(["/usr/sbin/chroot", "--userspec=54321:54321", root, "/sse-monolith", "config"])
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_folder_of_tasks_that_is_not_there(binary: Path) -> None:
    """A missing folder of tasks is one line of error, and no worker is started again and again."""
    ran = run([binary, "serve"], env={"APP_TASKS_PATH": "/nowhere", "PORT": "5998"})
    assert ran.returncode != 0
    assert "sse-monolith: APP_TASKS_PATH: there is no folder /nowhere" in ran.stderr
    assert "Traceback" not in ran.stderr
