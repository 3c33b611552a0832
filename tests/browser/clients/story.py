"""One fault with all clients: what was sent, and what the page of each client shows after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tests.browser.clients.catalog import CLIENTS, Client, Outcome
from tests.browser.clients.site import Site
from tests.browser.tabs import Tab
from tests.faults.nothing_missed import worker_faults
from tests.faults.nothing_missed.publisher import Publisher
from tests.support.timing import wait_until

__all__ = ["FAULTS", "Story", "numbers_of", "tell"]

BEFORE, AROUND, AWAY, AFTER = 10, 30, 10, 10
"""The numbers of events before and around the fault, while all clients are away, and after it."""

_LOG = 'document.querySelector("#log").textContent'

_HAS_GREETINGS = """count => {
  const text = document.querySelector("#log").textContent;
  return (text.match(/"version": *"(?!number-)/g) ?? []).length >= count;
}"""
"""Each stream brings one version without a number, after what the client has missed."""

_HAS_NUMBER = 'number => document.querySelector("#log").textContent.includes(`"number-${number}"`)'

_HAS_STOPPED = 'document.title === "stopped"'


@dataclass(frozen=True)
class Story:
    """The numbers of the events that were sent, and the logs of the pages.

    Args:
        sent: the numbers that the server has published, in order.
        away: the first number that was sent when every client was away.
        after: the first number that was sent when every client had come back.
        logs: the text of each page's log, by the name of the page.
    """

    sent: list[int]
    away: int
    after: int
    logs: Mapping[str, str]


def numbers_of(log: str) -> list[int]:
    """Return the numbers in the log of a page, in its order."""
    return [int(number) for number in re.findall(r'"number-(\d+)"', log)]


def _reload(site: Site) -> None:
    site.front.hold()
    worker_faults.reload(site.server)


def _restart(site: Site) -> None:
    site.front.hold(refusals=1)
    site.stop()
    # A proxy answers 502 until a server is there. Here it does so once for each client that asks.
    asking = [client.page for client in CLIENTS if client.reload is not Outcome.STOPS]

    def missing() -> list[str]:
        return [page for page in asking if not site.front.refused[_request_id(page, "restart")]]

    wait_until(lambda: not missing(), lambda: f"a 502 for the clients {missing()}")
    site.start()


def _cut(site: Site) -> None:
    site.front.hold()
    site.front.break_streams()


FAULTS: Mapping[str, Callable[[Site], None]] = {
    "cut": _cut,
    "reload": _reload,
    "restart": _restart,
}
"""The faults, by their names in :class:`Client`. Each holds the next streams at the front."""


def tell(tabs: Mapping[str, Tab], site: Site, fault: str) -> Story:
    """Load the pages of all clients, publish numbered events, and cause a fault meanwhile.

    Args:
        tabs: a tab for each client, by the name of its page.
        site: the backend and the front.
        fault: the name of the fault.
    """
    back = [tabs[client.page] for client in CLIENTS if client.after(fault) is not Outcome.STOPS]
    site.front.release()  # a story that failed may have left it closed
    for page, tab in tabs.items():
        tab.goto(site.front.url(page, _request_id(page, fault)))
    _wait_for(tabs.values(), _HAS_GREETINGS, 1)
    with Publisher(site.server.port) as publisher:
        publisher.publish(BEFORE)
        _wait_for(tabs.values(), _HAS_NUMBER, publisher.acknowledged[-1])
        with publisher.publishing(AROUND):
            FAULTS[fault](site)
            _wait_until_all_are_away(site, fault)
        publisher.publish(AWAY)
        away = publisher.acknowledged[-AWAY]
        site.front.release()
        _wait_for(back, _HAS_GREETINGS, 2)
        publisher.publish(AFTER)
    _wait_for(back, _HAS_NUMBER, publisher.acknowledged[-1])
    _wait_for([tab for tab in tabs.values() if tab not in back], _HAS_STOPPED)
    logs = {page: tab.evaluate(_LOG) for page, tab in tabs.items()}
    # A request without a response may have published its event all the same.
    seen = {number for log in logs.values() for number in numbers_of(log)}
    sent = sorted({*publisher.acknowledged, *seen.intersection(publisher.unanswered)})
    return Story(sent, away, publisher.acknowledged[-AFTER], logs)


def _request_id(page: str, fault: str) -> str:
    return f"{page}-{fault}"  # also names the shared workers, so that none outlives its page's load


def _wait_for(tabs: Iterable[Tab], condition: str, argument: object = None) -> None:
    for tab in tabs:
        tab.wait_for(condition, argument)


def _wait_until_all_are_away(site: Site, fault: str) -> None:
    def missing() -> list[str]:
        return [client.page for client in CLIENTS if not _is_away(site, client, fault)]

    wait_until(
        lambda: not missing(),
        lambda: f"the next request of the clients {missing()}; waiting: {site.front.waiting}",
    )


def _is_away(site: Site, client: Client, fault: str) -> bool:
    """Return True if a client has made the last request that it makes while the front holds it.

    A client that skips events asks without a last id. It may have asked with one before.
    """
    outcome = client.after(fault)
    request_id = _request_id(client.page, fault)
    cursors = [cursor for name, cursor in site.front.waiting if name == request_id]
    if outcome is Outcome.STOPS:
        return cursors == []
    return len(cursors) == 1 and bool(cursors[0]) is (outcome is Outcome.EVERYTHING)
