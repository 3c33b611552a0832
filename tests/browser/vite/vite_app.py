"""Apps that Vite serves or packs: copies in temporary folders, with the browser client."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.browser.packages_folder import installed_packages
from tests.support.processes.server import ROOT, Server
from tests.support.timing import TIME_LIMIT

__all__ = ["STATIC", "ViteServer", "build", "copy_app", "copy_client"]

STATIC = ROOT / "gateway_shim" / "static"


def copy_client(target: Path) -> None:
    """Copy the modules of the browser client to a folder."""
    for module in STATIC.glob("*.js"):
        shutil.copy(module, target)


def copy_app(source: Path, target: Path, backend: int) -> Path:
    """Copy an app to a new folder, with the client in its ``src``, and return the folder.

    Args:
        source: the folder of the app.
        target: the new folder.
        backend: the port of the backend, which takes the place of 5000 in the configuration.
    """
    shutil.copytree(source, target, dirs_exist_ok=True)
    copy_client(target / "src")
    config = target / "vite.config.js"
    config.write_text(config.read_text().replace("127.0.0.1:5000", f"127.0.0.1:{backend}"))
    return target


def _vite(*arguments: str) -> list[str]:
    node = shutil.which("node")
    assert node is not None
    return [node, str(installed_packages() / "vite" / "bin" / "vite.js"), *arguments]


class ViteServer(Server):
    """Vite's development server.

    Args:
        app: the folder of the app.
    """

    def __init__(self, app: Path) -> None:
        command = _vite("--host", "127.0.0.1", "--port", "{port}", "--strictPort")
        super().__init__(command, cwd=app, ready_path="/")


def build(app: Path) -> tuple[Path, str]:
    """Pack an app.

    Args:
        app: the folder of the app.

    Returns:
        The folder of the packed files, and what Vite has printed, warnings included.
    """
    result = subprocess.run(
        _vite("build"),
        cwd=app,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return app / "dist", result.stdout
