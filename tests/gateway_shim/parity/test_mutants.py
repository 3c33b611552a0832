"""The kit's own test: each deliberate fault of a gateway is reported, where it is and no more."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway_shim.parity import Kind, Runner, judge_run, load
from gateway_shim.parity.scenarios import SCENARIOS
from tests.gateway_shim.parity.conftest import command
from tests.gateway_shim.parity.mutants import MUTANTS

_QUICK = frozenset(
    {
        "buffered_close_only",
        "buffered_fifo",
        "callback_answers/103_then_200",
        "client_disconnects",
        "close_only",
        "connect_callback_answers_201",
        "connect_forwards_headers",
        "connect_paths//a//b/../c?",
        "events/no_line_ends",
        "head_on_stream_path",
        "other_methods/GET /HEALTHZ",
        "other_methods/GET /readyz",
        "send_compressed/unknown",
        "send_events/lone_cr",
        "send_events/multiline",
        "send_malformed_bodies/100k",
        "send_validation/unknown_token",
        "send_validation/token_null",
    }
)
"""Played on every mutant; each fault shows in some of them, and in no other."""

_TELLING: Mapping[str, set[str]] = {
    "none": set(),
    "wrong_header": {
        "callback_answers/103_then_200",
        "connect_callback_answers_201",
        "head_on_stream_path",
    },
    "ignores_content_encoding": {"send_compressed/unknown"},
    "lost_newline": {
        "buffered_fifo",
        "callback_answers/103_then_200",
        "connect_callback_answers_201",
        "events/no_line_ends",
        "send_compressed/unknown",
        "send_events/lone_cr",
        "send_events/multiline",
        "send_validation/token_null",
        "send_validation/unknown_token",
    },
    "splits_at_unicode_line_ends": {"events/no_line_ends"},
    "no_cr_split": {"send_events/lone_cr"},
    "missing_final_chunk": {"buffered_close_only", "close_only"},
    "fifo_reversed": {"buffered_fifo"},
    "phantom_event": {"buffered_close_only"},
    "callbacks_out_of_order": {
        "buffered_close_only",
        "buffered_fifo",
        "client_disconnects",
        "close_only",
        "callback_answers/103_then_200",
        "connect_callback_answers_201",
        "connect_forwards_headers",
    },
    "told_twice": {
        "buffered_close_only",
        "client_disconnects",
        "close_only",
        "connect_forwards_headers",
    },
    "wrong_error_code": {
        "client_disconnects",
        "send_malformed_bodies/100k",
        "send_validation/unknown_token",
    },
    "buffered_says_ok": {"buffered_close_only", "buffered_fifo"},
    "wrong_disconnect_reason": {"client_disconnects", "connect_forwards_headers"},
    "headers_not_joined": {"connect_forwards_headers"},
    "url_normalised": {"connect_paths//a//b/../c?"},
    "only_200_accepts": {"connect_callback_answers_201"},
    "interim_is_final": {"callback_answers/103_then_200"},
    "no_cors": {
        "callback_answers/103_then_200",
        "connect_callback_answers_201",
        "head_on_stream_path",
        "other_methods/GET /HEALTHZ",
        "other_methods/GET /readyz",
    },
    "body_limit_off_by_one": {"send_malformed_bodies/100k"},
    "health_is_case_sensitive": {"other_methods/GET /HEALTHZ"},
    "head_calls_the_backend": {"head_on_stream_path"},
}

_HEARTBEATS = frozenset({"heartbeat_from_own_opening"})
_BEATING = ("none", "no_heartbeat", "slow_heartbeat")


def _different(mutant: str, ids: frozenset[str]) -> set[str]:
    scenarios = [scenario for scenario in SCENARIOS if scenario.id in ids]
    assert {scenario.id for scenario in scenarios} == ids
    seen = Runner(command("tests.gateway_shim.parity.mutants", mutant)).run(scenarios)
    verdicts = judge_run(scenarios, load("node-2025-11"), seen, require_divergences=True)
    return {verdict.scenario.id for verdict in verdicts if verdict.kind is Kind.DIFFERENT}


@pytest.fixture(scope="module")
def found() -> Mapping[str, set[str]]:
    """What the kit finds different in each mutant; several are played at a time."""
    jobs = [(name, name, _QUICK) for name in _TELLING]
    jobs += [(f"{name}, heartbeats", name, _HEARTBEATS) for name in _BEATING]
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda job: _different(job[1], job[2]), reversed(jobs))
        return dict(zip([job[0] for job in reversed(jobs)], results, strict=True))


@pytest.mark.parametrize("mutant", _TELLING)
def test_a_fault_is_reported_where_it_is_and_nowhere_else(
    mutant: str, found: Mapping[str, set[str]]
) -> None:
    """Exactly the scenarios that the fault touches are different; without one, none is."""
    assert found[mutant] == _TELLING[mutant]


@pytest.mark.parametrize("mutant", _BEATING)
def test_faults_of_heartbeats_are_reported(mutant: str, found: Mapping[str, set[str]]) -> None:
    """Heartbeats that are missing, or at the wrong time, are different; right ones are not."""
    expected = set() if mutant == "none" else set(_HEARTBEATS)
    assert found[f"{mutant}, heartbeats"] == expected


def test_every_mutant_is_tested() -> None:
    """No fault is there that the tests above leave out."""
    assert {*_TELLING, *_BEATING} == set(MUTANTS)
