"""The kit reports each deliberate fault of a gateway, exactly where it is."""

from __future__ import annotations

from collections.abc import Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from gateway_shim.parity import Kind, Runner, judge_run, load
from gateway_shim.parity.judge.comparison import Difference
from gateway_shim.parity.judge.recording import BUILT_IN
from gateway_shim.parity.scenarios import SCENARIOS
from tests.gateway_shim.parity.conftest import command
from tests.gateway_shim.parity.mutants import MUTANTS

pytestmark = pytest.mark.slow

_QUICK = frozenset(
    {
        "buffered_close_only",
        "buffered_fifo",
        "callback_answers/103_then_200",
        "callback_framing/length abc",
        "callback_headers/no colon",
        "callback_redirect/307 refused",
        "callback_withheld/403",
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
"""The scenarios that are played on every mutant; each fault shows in some of them only."""

_REFUSED = frozenset(
    {
        "callback_framing/length abc",
        "callback_headers/no colon",
        "callback_redirect/307 refused",
        "callback_withheld/403",
    }
)
"""Those of the quick scenarios in which a backend's odd answer opens no stream."""

_EXPECTED: Mapping[str, set[str]] = {
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
        *_REFUSED,
        "connect_callback_answers_201",
        "connect_forwards_headers",
    },
    "disconnect_sent_twice": {
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
    "url_normalized": {"connect_paths//a//b/../c?"},
    "only_200_accepts": {"connect_callback_answers_201"},
    "interim_is_final": {"callback_answers/103_then_200"},
    "no_cors": {
        "callback_answers/103_then_200",
        *_REFUSED,
        "connect_callback_answers_201",
        "head_on_stream_path",
        "other_methods/GET /HEALTHZ",
        "other_methods/GET /readyz",
    },
    "body_limit_off_by_one": {"send_malformed_bodies/100k"},
    "health_is_case_sensitive": {"other_methods/GET /HEALTHZ"},
    "head_calls_the_backend": {"head_on_stream_path"},
    "body_is_awaited": {"callback_withheld/403"},
    "any_length": {"callback_framing/length abc"},
    "any_header_line": {"callback_headers/no colon"},
    "redirect_is_final": {"callback_redirect/307 refused"},
}


@dataclass(frozen=True)
class _Group:
    """A group of scenarios that are played on a few mutants only.

    Args:
        different: for each mutant, the scenarios that show its fault; all of them are played.
        dialect: the dialect of the gateway.
    """

    different: Mapping[str, set[str]]
    dialect: str = "named"


_CROWDS = "crowds"
_ESCAPES = "callback_url/http://127.0.0.1:$PORT/%41%2f%zz"
_AUTHORITY = "callback_tls/NODE_EXTRA_CA_CERTS"

_GROUPS: Mapping[str, _Group] = {
    "heartbeats": _Group(
        {
            "none": set(),
            "no_heartbeat": {"heartbeat_from_own_opening"},
            "slow_heartbeat": {"heartbeat_from_own_opening"},
        }
    ),
    "phrases": _Group(
        {
            "none": set(),
            "phrase_is_latin_1": {"callback_status/403 \\xc3\\xa9"},
            "phrase_may_be_empty": {"callback_status/401 "},
        },
        "envelope",
    ),
    "processes": _Group(
        {
            "none": set(),
            "ignores_named_authorities": {_AUTHORITY},
            "checks_no_certificate": {"callback_tls/nobody"},
            "escapes_twice": {_ESCAPES},
        }
    ),
    _CROWDS: _Group({"none": set(), "few_disconnects_at_once": {"many_leave_at_once"}}),
    "odd requests": _Group(
        {
            "none": set(),
            "small_head": {"request_heads/target_of_16300"},
            "first_host_wins": {"request_heads/two_hosts"},
            "no_empty_lines": {"request_heads/two_empty_lines_first"},
            "silent_keep_alive": {
                "kept_connections/send",
                "request_content_types/latin1",
                "request_heads/two_empty_lines_first",
                "request_json/nested_5000",
            },
            "connection_is_no_list": {"kept_connections/close_in_a_list"},
            "shallow_json": {"request_json/nested_5000"},
            "any_charset": {"request_content_types/latin1"},
            "any_coding": {"divergence_15/gzip_chunked"},
        }
    ),
}


Found = Mapping[str, tuple[Difference, ...]]
"""The differences of the scenarios that are different, by the scenario's id."""


def _different(mutant: str, ids: Set[str], dialect: str = "named") -> Found:
    scenarios = [scenario for scenario in SCENARIOS if scenario.id in ids]
    assert {scenario.id for scenario in scenarios} == ids
    gateway = command("tests.gateway_shim.parity.mutants", mutant, dialect=dialect)
    seen = Runner(gateway).run(scenarios)
    verdicts = judge_run(scenarios, load(BUILT_IN[dialect]), seen, require_divergences=True)
    return {v.scenario.id: v.differences for v in verdicts if v.kind is Kind.DIFFERENT}


def _unexpected(found: Found, expected: Set[str]) -> dict[str, object]:
    """Return what should not be different, with its differences, and what should be."""
    more = {name: found[name] for name in found.keys() - expected}
    return {**more, **dict.fromkeys(expected - found.keys(), "not different")}


@pytest.fixture(scope="module")
def found() -> Mapping[tuple[str, str], Found]:
    """Play the scenarios, several mutants at a time, and collect the different ones."""
    jobs = [("", name, _QUICK, "named") for name in _EXPECTED]
    for group, rules in _GROUPS.items():
        ids = frozenset().union(*rules.different.values())
        jobs += [(group, name, ids, rules.dialect) for name in rules.different]
    # A crowd has a few seconds for its callbacks, so nothing else is played beside it.
    crowds = [job for job in jobs if job[0] == _CROWDS]
    others = [job for job in reversed(jobs) if job[0] != _CROWDS]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda job: _different(*job[1:]), others))
    results += [_different(*job[1:]) for job in crowds]
    return dict(zip([job[:2] for job in others + crowds], results, strict=True))


@pytest.mark.parametrize("mutant", _EXPECTED)
def test_a_fault_is_reported_where_it_is_and_nowhere_else(
    mutant: str, found: Mapping[tuple[str, str], Found]
) -> None:
    """Exactly the scenarios that a fault touches are different; without a fault, none is."""
    assert _unexpected(found["", mutant], _EXPECTED[mutant]) == {}


@pytest.mark.parametrize(
    ("group", "mutant"), [(group, name) for group in _GROUPS for name in _GROUPS[group].different]
)
def test_faults_in_other_places_are_reported(
    group: str, mutant: str, found: Mapping[tuple[str, str], Found]
) -> None:
    """The scenarios of a group that a fault touches are different."""
    assert _unexpected(found[group, mutant], _GROUPS[group].different[mutant]) == {}


def test_every_mutant_is_tested() -> None:
    """The tests above cover every fault."""
    elsewhere = {name for group in _GROUPS.values() for name in group.different}
    assert {*_EXPECTED, *elsewhere} == set(MUTANTS)
