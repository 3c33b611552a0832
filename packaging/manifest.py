"""The binary's manifest: its build, and the licenses of everything that is in it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import gevent
import PyInstaller
from app.program import build_info, licenses
from app.program.build_info import BuildInfo
from app.program.licenses import Component
from gevent.libev.corecext import get_version as libev_version

__all__ = ["write_manifest"]

Entry = tuple[str, str, str]
"""As in PyInstaller's tables: where in the binary, which file, what kind."""

_GLIBC = re.compile(r"\bGLIBC_(\d+)\.(\d+)(?:\.\d+)?\b")


def write_manifest(binaries: Iterable[Entry], folder: Path) -> list[Entry]:
    """Write the files that :mod:`app.program.build_info` and :mod:`app.program.licenses` read.

    Args:
        binaries: the libraries that will be in the binary.
        folder: where to write.

    Returns:
        The files, for PyInstaller's table of data.
    """
    files = [Path(source) for _, source, _ in binaries]
    texts = {
        build_info.FILE_NAME: json.dumps(asdict(_build(files))),
        licenses.FILE_NAME: licenses.dump([*licenses.installed(), *_others(files)]),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [(f"app/{name}", str(folder / name), "DATA") for name in texts]


def _build(files: list[Path]) -> BuildInfo:
    (major, minor), because = max((_glibc_needed(file), file.name) for file in files)
    date = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    return BuildInfo(
        commit=os.environ["BUILD_COMMIT"],
        date=date.strftime("%Y-%m-%dT%H:%M:%SZ"),
        builder=f"PyInstaller {PyInstaller.__version__}",
        glibc=f"{major}.{minor}",
        glibc_because=because,
    )


def _glibc_needed(file: Path) -> tuple[int, int]:
    """Return the newest glibc version whose symbols a library needs."""
    shown = subprocess.run(
        ["readelf", "--version-info", "--wide", file], capture_output=True, text=True, check=True
    ).stdout
    return max(((int(a), int(b)) for a, b in _GLIBC.findall(shown)), default=(0, 0))


def _others(files: list[Path]) -> list[Component]:
    """List the parts of the binary that are not Python distributions."""
    python = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    packer = Path(PyInstaller.__file__).parent.parent
    packer_text = next(packer.glob("pyinstaller-*.dist-info/**/COPYING*"), None)
    found = [
        Component(
            "Python",
            platform.python_version(),
            "PSF-2.0",
            python.read_text(encoding="utf-8") if python.exists() else "",
        ),
        Component(
            "PyInstaller bootloader",
            PyInstaller.__version__,
            "GPL-2.0-or-later WITH Bootloader-exception",
            packer_text.read_text(encoding="utf-8") if packer_text else "",
        ),
    ]
    return found + _inside_gevent(files) + _system_libraries(files)


def _inside_gevent(files: list[Path]) -> list[Component]:
    """Libraries that gevent's wheel has compiled in, without their licences."""
    texts = Path(__file__).parent / "licenses"
    libev = libev_version().removeprefix("libev-")
    inside = {
        "corecext": ("libev", libev, "BSD-2-Clause OR GPL-2.0-or-later"),
        "cares": ("c-ares", f"as in gevent {gevent.__version__}", "MIT"),
    }
    return [
        Component(name, version, licence, (texts / f"{name}.txt").read_text(encoding="utf-8"))
        for extension, (name, version, licence) in inside.items()
        if any(file.name.startswith(f"{extension}.") for file in files)
    ]


def _system_libraries(files: list[Path]) -> list[Component]:
    """Libraries of this machine, such as OpenSSL's; Debian's packages bring their licences."""
    prefixes = (sys.prefix, sys.base_prefix)
    packages: dict[str, list[str]] = {}
    for file in sorted(files):
        if not str(file).startswith(prefixes):
            packages.setdefault(_debian_package(file) or file.name, []).append(file.name)
    return [
        Component(package, _debian_version(package), "see its text", _debian_copyright(package))
        for package in sorted(packages)
    ]


def _debian_package(file: Path) -> str | None:
    if shutil.which("dpkg") is None:
        return None
    # The same file has two names where /lib is a link to /usr/lib, and dpkg knows one of them.
    for name in (file, file.resolve(), Path(str(file).removeprefix("/usr"))):
        found = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.partition(":")[0]
    return None


def _debian_version(package: str) -> str:
    if shutil.which("dpkg-query") is None:
        return ""
    found = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", package], capture_output=True, text=True
    )
    return found.stdout if found.returncode == 0 else ""


def _debian_copyright(package: str) -> str:
    file = Path("/usr/share/doc") / package / "copyright"
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
