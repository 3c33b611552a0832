"""docs/operations.md and docs/alerts.yml: their metrics, settings and examples are right."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.config import Settings
from app.services.bus.collector import BusCollector
from app.services.metrics.adding import message_counts, per_worker, worker_counts
from app.services.metrics.families import text_of
from app.services.metrics_service import MetricsService
from gateway_shim.event_log.brokers.presence import BusState
from gateway_shim.event_log.log import LogStats
from gateway_shim.http_client.certificates import VARIABLES
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason
from gateway_shim.streams.stats import GatewayStats
from tests.support.backend_client import connect, start_task, task_story
from tests.support.http.stream import StreamNotOpened, open_stream
from tests.support.processes.server import ROOT, GunicornServer

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "docs" / "alerts.yml").read_text(encoding="utf-8"))[
        "groups"
    ]
    for rule in group["rules"]
]


def section(name: str) -> str:
    """Return the text below a heading."""
    return TEXT.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def exposed() -> tuple[set[str], set[str]]:
    """Return the names of all metrics, and the names of their samples."""
    service = MetricsService()
    log = LogStats(0, 0, 0, 0.0, in_memory=True)
    service.watch_gateway(lambda: GatewayStats(log=log))
    service.watch_refusals(lambda: RefusalCounts().by_reason)
    state = BusState(is_connected=True, since=0.0, problem=None, lag=0)
    service.watch(BusCollector(lambda: state))
    service.event_sent("task", "success", 0.1)
    service.broadcast_finished(1, 0.1)
    service.task_finished("t", "completed", 0.1)
    service.connection_opened()
    text = service.render().decode()
    # A server with several workers shows these, too.
    several = per_worker(service.families(), 1) | worker_counts(expected=2, running=2, silent=0)
    several |= message_counts({"told": 1})
    text += text_of(several).decode()
    families = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
    samples = set(re.findall(r"^([a-z_]+)[{ ]", text, re.M))
    return {name for name in families if not name.endswith("_created")}, samples


def test_every_metric_is_explained_and_no_other() -> None:
    """The table has a row for each metric, with its meaning and an action."""
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+) \| (.+) \|$", section("Metrics"), re.M)
    assert sorted(name for name, _, _ in rows) == sorted(exposed()[0])
    assert all(meaning and action for _, meaning, action in rows)


def test_every_limit_and_every_reason_has_a_row() -> None:
    """The table has each setting that is a limit, and each reason of the metric."""
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \| (.+) \| (.+) \|$", section("Limits"), re.M)
    settings = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row[1])}
    reasons = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row[4])}
    bounds = {name.upper() for name in Settings.model_fields if re.search("(^|_)max_", name)}
    assert sorted(bounds - settings) == []
    assert {"ANSWER_SECONDS", "LOG_LINES_PER_SECOND", "ALLOWED_HOSTS", "ALLOW_OPEN"} <= settings
    counters = {"sse_gateway_slow_consumers_total", "sse_gateway_callbacks_failed_total", "reason"}
    assert sorted(reasons - counters) == sorted(RefusalReason)


def test_alerts_are_about_metrics_that_exist() -> None:
    """Every name in an expression is a sample, a label, or a function of Prometheus."""
    samples = exposed()[1] | {"up"}
    known = {"rate", "sum", "by", "and", "or", "unless", "on", "offset", "histogram_quantile"}
    labels = {"status", "instance", "task_type", "job", "reason"}
    for rule in RULES:
        expression = re.sub(r'"[^"]*"', "", rule["expr"])
        names = set(re.findall(r"(?<![\w.])[a-z_]+\b", expression)) - known - labels
        assert names, rule["alert"]
        assert names <= samples, rule["alert"]


def test_alerts_are_whole() -> None:
    """Each alert has its own name, a severity, and a sentence with an action."""
    assert len({rule["alert"] for rule in RULES}) == len(RULES) == 21
    for rule in RULES:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["annotations"]["description"].endswith((".", "?", '".'))


def test_log_messages_exist() -> None:
    """Every log message on the page is in the source code."""
    source = "".join(
        path.read_text(encoding="utf-8")
        for package in ("app", "gateway_shim")
        for path in (ROOT / package).rglob("*.py")
    )
    messages = re.findall(r"^\| `([^`]+)` \|", section("Logs"), re.M)
    assert len(messages) == 37
    assert [message for message in messages if f'"{message}' not in source] == []


def test_links() -> None:
    """The table of contents has an entry for each heading, and no others."""
    headings = [
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.*)$", TEXT, re.M)
    ]
    assert re.findall(r"^- \[.*\]\(#(.*)\)$", TEXT, re.M) == headings


def test_settings_exist() -> None:
    """Every setting on the page exists."""
    known = {name.upper() for name in Settings.model_fields} | {
        *("CALLBACK_URL", *VARIABLES),  # of a gateway on a port, and of every client
        "STREAM_PASS_KEY",  # the example's own
        "FAULT_TABLE",  # the tests' own
        *("TOO_MANY_CONNECTIONS", "CROSS_SITE", "HOST_NOT_ALLOWED"),  # error codes
        "REMOTE_ADDR",  # of WSGI
        *("CALLBACK_URL", *VARIABLES),  # of a gateway on a port, and of every HTTP client
        *("SSE_AUTHORISE", "CORS_ORIGIN", "TASK_TIMEOUT"),  # misspelt on purpose
    }
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)\b", TEXT))
    assert named - known == set()


@pytest.mark.needs("systemd-analyze")
def test_systemd_units_are_valid(tmp_path: Path) -> None:
    """systemd-analyze accepts the units on the page."""
    units = re.findall(
        r"^```ini\n# /etc/systemd/system/([\w.-]+).*?\n(.*?)^```$", TEXT, re.M | re.S
    )
    assert [name for name, _ in units] == ["sse-monolith.service", "sse-monolith.socket"]
    for name, text in units:
        # The command has another path on this machine, and the user does not exist.
        text = re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text)
        (tmp_path / name).write_text(text)
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name, _ in units)],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in run.stderr.splitlines() if "sse-monolith" in line]
    assert complaints == []


@pytest.mark.slow
def test_the_authorisation_example(tmp_path: Path) -> None:
    """With the example, only the owner of a request id can open or replace its stream."""
    (module,) = re.findall(r"^```python\n# stream_pass.py\n(.*?)^```$", TEXT, re.M | re.S)
    (tmp_path / "stream_pass.py").write_text(module)
    env = {
        "SSE_AUTHORIZE": "stream_pass:authorize",
        "STREAM_PASS_KEY": "a key of this test",
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
    }
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAM_PASS_KEY", env["STREAM_PASS_KEY"])
        exec(module, names)
        alices, bobs = names["issue"]("alice"), names["issue"]("bob")
        patch.setenv("STREAM_PASS_KEY", "another key")
        exec(module, names)
        forged = names["issue"]("alice")

    with GunicornServer(env=env) as server:

        def refusal(request_id: str, *headers: tuple[str, str]) -> int:
            with pytest.raises(StreamNotOpened) as refused:
                open_stream(
                    server.port, f"/api/sse/stream?request_id={request_id}", headers=headers
                )
            return refused.value.response.status

        pass_of_alice = ("Cookie", f"theme=dark; stream_pass={alices}; other=1")
        with connect(server, "alice", headers=[pass_of_alice]) as stream:
            stream.wait_for("version")
            assert refusal("alice") == 401
            assert refusal("alice", ("Cookie", "theme=dark")) == 401
            assert refusal("alice", ("Cookie", f"stream_pass={forged}")) == 401
            assert refusal("alice", ("Cookie", f"stream_pass={alices[:-1]}")) == 401
            assert refusal("alice", ("Cookie", 'stream_pass=; ;=;\x85="')) == 401
            assert refusal("alice", ("Cookie", f"stream_pass={bobs}")) == 403
            assert refusal("bob", pass_of_alice) == 403
            task = start_task(server, "demo_task", steps=1, delay=0)
            assert len(task_story(stream, task)) == 3
        assert "hook failed" not in server.log
