"""The contract kit: what a gateway must do, played on any gateway, without a test runner.

::

    scenarios/, scenario     what is played, as data
    steps, replay            what can happen in one, and its JSON form
    reply, session           how a backend answers callbacks, and which came
    player, performance       playing it: client, probe (raw HTTP), stub_backend, launcher
    runner, targets          many at a time, on gateways that are started or run already
    observation, recording   what was seen, and what Node gateways showed
    comparison, divergences,
    verdict, report          same, expected divergence N, different
    fuzz, cases, shrinking   generated cases on two gateways
    generation/              what is made up: lives of streams, requests, answers, events
    reference, model,
    error_pages, strict_json where the two diverge on purpose, as rules

The kit imports nothing of the gateway it judges, and neither gevent nor a test framework.
"""

from __future__ import annotations

from gateway_shim.parity.judge.recording import Recording, load
from gateway_shim.parity.judge.verdict import Kind, Verdict, judge_pair, judge_run
from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.runner import Runner
from gateway_shim.parity.play.targets import Command, Url
from gateway_shim.parity.scenarios import SCENARIOS

__all__ = [
    "SCENARIOS",
    "Command",
    "GatewayFailed",
    "Kind",
    "Recording",
    "Runner",
    "Url",
    "Verdict",
    "judge_pair",
    "judge_run",
    "load",
]
