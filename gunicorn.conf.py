"""gunicorn's settings: ``gunicorn -c gunicorn.conf.py "app:create_app()"``.

The values come from the backend's own settings: HOST, PORT, GRACEFUL_SHUTDOWN_TIMEOUT and others.
gateway_shim/server/options.py has the reason for each.
"""

from gateway_shim.server.process.start_signals import START

START.begin(remember_hangup=True)  # before the other imports, which take a good part of a second

# ruff: noqa: E402
from gateway_shim.event_loop.patching import patch_arbiter

patch_arbiter()  # before the other imports, which the serving process inherits

from app.config import read_settings
from app.logs import configure_logging, log_warnings
from app.serving.gunicorn_settings import gunicorn_options
from gateway_shim.errors import InvalidConfiguration

try:
    _loaded = read_settings()
    globals().update(gunicorn_options(_loaded.settings))
except InvalidConfiguration as exc:
    raise SystemExit(f"sse-monolith: {exc}") from None

configure_logging(_loaded.settings)
log_warnings(_loaded.sources)
