"""The contract kit: plays scenarios on any gateway and compares what the gateway does.

The kit needs no test runner. Its parts:

::

    cli, options             the command: run, diff, record, fuzz
    scenario, steps,
    raw_steps, process_steps scenarios and their steps, as data
    reply, replay            a backend's answers as data, and the JSON form of steps
    scenarios/               every scenario
    play/                    playing scenarios: processes, clients, the stub backend
    play/actions/            the action for each kind of step
    judge/                   comparing: recordings, numbered divergences, verdicts, reports
    fuzz/                    cases that are generated, predicted and shrunk
    fuzz/generation/         the generators
    recordings/              what Node gateways did
    certificates/            the certificates of a stub backend that speaks TLS
    ports, thread_group,
    progress_bar             helpers

Imports run in one direction: ``cli`` → ``fuzz`` → ``play``, ``judge`` → steps and scenarios as
data.

The kit imports nothing of the gateway that it judges, neither gevent nor a test framework. Only the
command's entry point uses :mod:`gateway_shim.log_lines.output`.
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
