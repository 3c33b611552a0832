"""The entry point of the binary. A program from the source starts with ``python -m app``."""

from __future__ import annotations

import sys

from gateway_shim.server.process.start_signals import START

# Before the other imports, which take a good part of a second.
START.begin(remember_hangup="serve" in sys.argv[1:4])

# ruff: noqa: E402
import ctypes
import multiprocessing
import os
import runpy
import signal
from pathlib import Path

import pyimod01_archive
import pyimod02_importers
from app.program.hold import hold

_OWN_PACKAGES = ("app", "gateway_shim")
_SERVERS = ("serve", "gateway")
_PR_SET_PDEATHSIG = 1  # prctl(2)


def _restore_library_path() -> None:
    """Restore LD_LIBRARY_PATH to the user's value.

    The bootloader sets the variable to the folder of the unpacked files. The loader has read the
    value by now. A program that a task starts must not find the libraries of the binary instead of
    its own.
    """
    original = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    if original is None:
        os.environ.pop("LD_LIBRARY_PATH", None)
    else:
        os.environ["LD_LIBRARY_PATH"] = original


def _stop_with_bootloader() -> None:
    """Ask for SIGTERM when the bootloader, the parent process that the user started, is killed.

    The bootloader passes on every signal but SIGKILL. After SIGKILL this process would run on, and
    no other process would know it.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _forget_unpacked_files() -> None:
    """Make each child that a server starts unpack the program again.

    Otherwise the bootloader of a child would use the folder of this process. After an update of
    the program's file, the child would mix the new program with the old libraries. Other commands
    end before an update matters, and their children start faster without unpacking.
    """
    for name in [name for name in os.environ if name.startswith("_PYI_")]:
        del os.environ[name]


def _main() -> None:
    _restore_library_path()
    _stop_with_bootloader()
    hold(pyimod01_archive, pyimod02_importers, Path(sys._MEIPASS))
    # A process that multiprocessing has started does its work in freeze_support, which does not
    # return then. The process must not look for the main module, which has no file.
    globals().pop("__file__", None)
    multiprocessing.freeze_support()
    # Code that starts this program again may do so as from the source: sys.executable -m app ...
    module = sys.argv[2] if sys.argv[1:2] == ["-m"] and len(sys.argv) > 2 else ""
    is_own = module.partition(".")[0] in _OWN_PACKAGES
    if is_own:
        del sys.argv[1:3]
    if sys.argv[1:2] and sys.argv[1] in _SERVERS:
        _forget_unpacked_files()
    if is_own:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    # Imported only now: hold() has prepared the import of all modules that are in the binary.
    from app.cli import main

    main(prog_name="sse-monolith")


_main()
