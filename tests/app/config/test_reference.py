"""The reference of the settings, as it is generated from their fields."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic_core import PydanticUndefined

from app.config import Settings
from app.config.reference import GROUPS, reference
from tests.support.timing import TIME_LIMIT


def row(name: str) -> list[str]:
    """Return the cells of a setting's row after its name."""
    (line,) = [line for line in reference().splitlines() if line.startswith(f"| `{name}` |")]
    return line.strip("| ").split(" | ")[1:]


def test_every_setting_is_in_one_group() -> None:
    """The groups together have the fields of Settings, in the same order."""
    names = [name for group in GROUPS.values() for name in group.model_fields]
    assert names == list(Settings.model_fields)


def test_every_setting_has_a_default_and_a_description() -> None:
    """A description is a sentence that fits into one cell of a table."""
    for field in Settings.model_fields.values():
        assert field.default is not PydanticUndefined
        assert field.description
        assert field.description.endswith(".")
        assert "|" not in field.description
        assert "\n" not in field.description


@pytest.mark.parametrize(
    ("name", "default", "values"),
    [
        ("FLASK_ENV", "`development`", "`production`, `development` or `testing`"),
        ("HOST", "`127.0.0.1`", "text"),
        ("PORT", "`5000`", "1 to 65,535"),
        ("KEEP_ALIVE_SECONDS", "`150`", "1 to 86,400 seconds"),
        ("GRACEFUL_SHUTDOWN_TIMEOUT", "`25`", "0 seconds or more"),
        ("HEARTBEAT_INTERVAL_SECONDS", "`15`", "1 second or more"),
        ("SSE_RETRY_MS", "`3000`", "100 to 600,000 milliseconds"),
        ("SSE_MAX_BUFFER_BYTES", "`1048576` (1 MiB)", "1,024 bytes or more"),
        ("MAX_JSON_BYTES", "`102400`", "1,024 to 16,777,216 bytes"),
        ("TASK_TIMEOUT_SECONDS", "`300`", "more than 0 seconds"),
        ("SSE_MAX_CONNECTIONS", "unset", "1 or more"),
        ("SSE_INTERNAL_SEND", "`off`", "`on` or `off`"),
        ("SSE_REPLAY_SECONDS", "unset", "1 second or more"),
        ("SSE_CALLBACK_SECRET", "unset", "text"),
        ("SSE_GATEWAY_URL", "unset", "text"),
        ("CORS_ORIGINS", "empty", "text"),
    ],
)
def test_a_row_has_the_default_and_the_values(name: str, default: str, values: str) -> None:
    """A row says the default, and the accepted values with their unit."""
    assert row(name)[:2] == [default, values]


def test_names_of_settings_in_a_description_are_code() -> None:
    """A description that names another setting shows the name as code, and no other word."""
    assert row("CERTFILE")[2] == "The TLS certificate chain, a PEM file. It needs `KEYFILE`."
    assert "``" not in reference()


def test_the_module_prints_the_page() -> None:
    """``python -m app.config.reference`` prints the page and nothing else."""
    done = subprocess.run(
        [sys.executable, "-m", "app.config.reference"],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=True,
    )
    assert done.stdout == reference()
