"""gunicorn's settings: ``gunicorn -c gunicorn.conf.py "app:create_app()"``.

They come from the backend's own settings (HOST, PORT, GRACEFUL_SHUTDOWN_TIMEOUT, …); what each
is for stands in gateway_shim/server.py.
"""

from app.config import load_settings
from app.serving import gunicorn_options
from app.utils.logging import configure_logging
from gateway_shim.errors import InvalidConfiguration

try:
    _settings = load_settings()
    globals().update(gunicorn_options(_settings))
except InvalidConfiguration as exc:
    raise SystemExit(f"sse-monolith: {exc}") from None

configure_logging(_settings)
