# Instead of PyInstaller's own hook, which brings gevent's tests, headers and Cython sources.

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = collect_submodules(
    "gevent", filter=lambda name: not name.startswith(("gevent.tests", "gevent.testing"))
)
