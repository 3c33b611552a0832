"""Many scenarios at the same time, on several gateways, each with its own stub backend."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.player import Player
from gateway_shim.parity.play.targets import NotPlayable, Target
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.thread_group import ThreadGroup

__all__ = ["Runner"]

_OWN_AT_ONCE = 6
_MOST_FAILURES = 12
_WORTH_A_START_SECONDS = 1.0  # what another shared gateway must have to play
_SHORT_SECONDS = 0.03  # of a scenario that waits for nothing


class Runner:
    """Plays scenarios on a target.

    A scenario that needs its own gateway process gets one. The others share a few processes, each
    of which plays one scenario at a time; few short scenarios share one process. Those that must be
    alone come last, one after the other.

    Args:
        target: the gateways to play on.
        on_played: called with each scenario when it is over, from any thread.
    """

    def __init__(
        self, target: Target, on_played: Callable[[Scenario], None] = lambda _scenario: None
    ) -> None:
        self._target = target
        self._on_played = on_played
        self._lock = threading.Lock()  # guards everything below
        self._stopped = threading.Event()  # no further scenario starts
        self._first_ready = threading.Event()  # a shared gateway has become ready
        self._seen: dict[str, Any] = {}  # by scenario id
        self._failure: GatewayFailed | None = None  # the first one, raised at the end
        self._failures = 0  # scenarios that could not continue
        self._players: set[Player] = set()  # those that play a scenario now

    def run(self, scenarios: Sequence[Scenario]) -> dict[str, Any]:
        """Play all scenarios.

        Returns:
            What was seen, by scenario id. Scenarios that the target cannot play are missing.

        Raises:
            GatewayFailed: a gateway did not start, died, or does not behave like a gateway.
        """
        longest_first = sorted(scenarios, key=lambda scenario: -scenario.seconds)
        shared = deque(scenario for scenario in longest_first if scenario.process is None)
        own = deque(s for s in longest_first if s.process is not None and not s.process.alone)
        alone = deque(s for s in longest_first if s.process is not None and s.process.alone)
        if not shared:
            self._first_ready.set()
        players = min(self._target.players_at_once, len(shared), _worthwhile_gateways(shared))
        tasks = [partial(self._play_shared, shared)] * players
        if self._target.starts_gateways:
            tasks += [partial(self._play_own, own)] * min(_OWN_AT_ONCE, len(own))
        last = [partial(self._play_own, alone)] if self._target.starts_gateways else []
        threads = ThreadGroup(tasks)
        try:
            threads.wait()
            threads = ThreadGroup(last)
            threads.wait()
        finally:
            # After Ctrl-C each thread still stops the processes that it has started.
            self.stop()
            threads.wait()
        if self._failure is not None:
            raise self._failure
        return self._seen

    def stop(self) -> None:
        """Start no more scenarios, and abort those that are being played."""
        self._stopped.set()
        self._first_ready.set()
        with self._lock:
            players = list(self._players)
        for player in players:
            player.abort()

    # Private: each of these runs in its own thread.

    def _play_shared(self, todo: deque[Scenario]) -> None:
        try:
            with self._target.player(Process()) as player:
                self._first_ready.set()
                while (scenario := self._next(todo)) is not None:
                    self._play(player, scenario)
        except GatewayFailed as exc:
            self._fail(exc)

    def _play_own(self, todo: deque[Scenario]) -> None:
        # If the command does not start, the first shared gateway shows it, once for all scenarios.
        self._first_ready.wait()
        while (scenario := self._next(todo)) is not None:
            try:
                with self._target.player(scenario.process or Process()) as player:
                    self._play(player, scenario)
            except NotPlayable:
                self._on_played(scenario)  # the scenario is missing from the result
            except GatewayFailed as exc:
                if not scenario.process or not scenario.process.may_refuse_to_start:
                    self._fail(exc)
                    continue
                with self._lock:
                    self._seen[scenario.id] = {"failed": exc.what}
                self._on_played(scenario)

    def _next(self, todo: deque[Scenario]) -> Scenario | None:
        if self._stopped.is_set():
            return None
        try:
            return todo.popleft()
        except IndexError:
            return None

    def _play(self, player: Player, scenario: Scenario) -> None:
        with self._lock:
            if self._stopped.is_set():
                return  # stopped while the gateway was starting: `stop` could not abort this player
            self._players.add(player)
        try:
            seen = player.play(scenario)
        finally:
            with self._lock:
                self._players.discard(player)
        with self._lock:
            self._seen[scenario.id] = seen
            reason = seen.get("failed") if isinstance(seen, dict) else None
            self._failures += reason is not None
            too_many = self._failures > _MOST_FAILURES
        self._on_played(scenario)
        if too_many:
            what = f"the program does not answer like a gateway ({reason})"
            raise player.gateway.failed(what) if player.gateway else GatewayFailed(what)

    def _fail(self, failure: GatewayFailed) -> None:
        with self._lock:
            self._failure = self._failure or failure
        self.stop()


def _worthwhile_gateways(scenarios: Iterable[Scenario]) -> int:
    """Return for how many gateways there is enough to play: a start costs about half a second."""
    seconds = sum(max(scenario.seconds, _SHORT_SECONDS) for scenario in scenarios)
    return math.ceil(seconds / _WORTH_A_START_SECONDS)
