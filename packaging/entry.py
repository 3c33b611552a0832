"""Where the binary starts. Only for packaging: from the source it is ``python -m app``."""

from __future__ import annotations

import sys

from gateway_shim.server.process.start_signals import START

START.begin(remember_hangup="serve" in sys.argv[1:4])  # before the other imports

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

_OURS = ("app", "gateway_shim")
_SERVERS = ("serve", "gateway")
_PR_SET_PDEATHSIG = 1  # prctl(2)


def _restore_library_path() -> None:
    """Give back LD_LIBRARY_PATH as the user set it.

    The bootloader points it at the unpacked files. The loader has read it by now; a program that
    a task starts must not find our libraries instead of its own.
    """
    original = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    if original is None:
        os.environ.pop("LD_LIBRARY_PATH", None)
    else:
        os.environ["LD_LIBRARY_PATH"] = original


def _stop_with_bootloader() -> None:
    """Be told to stop if the process that the user started, our parent, is killed.

    It passes every other signal on; after SIGKILL nobody would be left who knows of us.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _forget_unpacked_files() -> None:
    """Make a server's children unpack the program for themselves.

    The bootloader would take over our folder, whatever the program's file is by then: a child that
    is started after an update would mix the new program with the old libraries. The other commands
    are over before that, and their children start sooner so.
    """
    for name in [name for name in os.environ if name.startswith("_PYI_")]:
        del os.environ[name]


def _main() -> None:
    _restore_library_path()
    _stop_with_bootloader()
    hold(pyimod01_archive, pyimod02_importers, Path(sys._MEIPASS))
    # A process that multiprocessing has started does its work here and does not come back. It must
    # not look for our main module: there is no file of it.
    globals().pop("__file__", None)
    multiprocessing.freeze_support()
    # What starts this program again may do it as from the source: sys.executable -m app ...
    module = sys.argv[2] if sys.argv[1:2] == ["-m"] and len(sys.argv) > 2 else ""
    ours = module.partition(".")[0] in _OURS
    if ours:
        del sys.argv[1:3]
    if sys.argv[1:2] and sys.argv[1] in _SERVERS:
        _forget_unpacked_files()
    if ours:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    from app.cli import main

    main(prog_name="sse-monolith")


_main()
