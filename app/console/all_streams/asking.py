"""Asks the other processes for their streams, and to close one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.console.all_streams.merging import (
    Part,
    Posts,
    last_page,
    merged_page,
    posts_of,
    ranges_for,
)
from app.console.stream_table import (
    PAGE_ROWS,
    Page,
    Row,
    Sort,
    in_order,
    local_rows,
    matching,
    page_of,
    sort_key,
)
from app.errors import Unavailable
from app.services.connection_manager import ConnectionManager
from app.services.elsewhere.asking import ask_others
from gateway_shim.errors import UnknownToken
from gateway_shim.server.process.worker_number import worker_number
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.peers.peers import Peers
from gateway_shim.streams.peers.servers import server_of

__all__ = ["AllStreams"]

logger = logging.getLogger(__name__)

_LIST = "console_streams"
_CLOSE = "console_close_stream"

_PARTS = TypeAdapter(Part)
_POSTS = TypeAdapter(Posts)


class AllStreams:
    """The streams of this process and of all others that share its log.

    Args:
        gateway: returns the gateway of this process.
        connections: the registry of this process's streams.
        peers: the other processes.
        number: returns the number of this worker.
    """

    def __init__(
        self,
        gateway: Callable[[], Gateway],
        connections: ConnectionManager,
        peers: Peers,
        number: Callable[[], int] = worker_number,
    ) -> None:
        self._gateway = gateway
        self._connections = connections
        self._peers = peers
        self._number = number
        peers.when_asked(_LIST, self._answer_list)
        peers.when_asked(_CLOSE, self._answer_close)

    @property
    def are_elsewhere(self) -> bool:
        """True if other processes may have streams."""
        return self._peers.are_there

    def page(self, find: str, sort: Sort, number: int, *, descending: bool) -> Page:
        """Return one page of the table. Waits for the other processes for a limited time.

        Args:
            find: the text to search for (:func:`app.console.stream_table.page_of`).
            sort: the column to sort by.
            number: the number of the page.
            descending: True for the largest value first.
        """
        if not self._peers.are_there:
            return page_of(self._rows(None), find, sort, number, descending=descending)
        asked = set(self._peers.others())
        rows, total = self._found(find, sort, descending)
        question = {"find": find, "sort": sort.value, "descending": descending}
        me = self._peers.process
        if number == 1:
            parts = self._ask(_PARTS, question)
            parts[me] = _part(rows, total, (0, PAGE_ROWS))
            page = merged_page(1, parts, sort, descending=descending)
            return self._with_completeness(page, asked, parts)
        tables = self._ask(_POSTS, question | {"posts": True})
        tables[me] = posts_of(rows, total, sort)
        while True:
            number = min(number, last_page(sum(table.found for table in tables.values())))
            ranges = ranges_for(number, tables, descending=descending)
            parts = self._ask(_PARTS, question | {"ranges": ranges})
            parts[me] = _part(rows, total, ranges[me])
            missing = tables.keys() - parts.keys()
            if not missing:
                break
            for name in missing:  # it has ended since the first question, or is stuck
                del tables[name]
        skipped = sum(start for start, _ in ranges.values())
        page = merged_page(number, parts, sort, descending=descending, skipped=skipped)
        return self._with_completeness(page, asked, parts)

    def count(self) -> int:
        """Return the number of all streams. Waits for the other processes for a limited time."""
        own = len(self._connections.registered())
        if not self._peers.are_there:
            return own
        answers = self._peers.ask(_LIST, {"count": True})
        return own + sum(answer.data for answer in answers if isinstance(answer.data, int))

    def close_elsewhere(self, token: str) -> bool:
        """End a stream of another process cleanly.

        Returns:
            False if no other process has the stream.

        Raises:
            Unavailable: the stream could not be closed, or may be in a process that is silent.
        """
        if not self._peers.are_there:
            return False
        answers = ask_others(self._peers, _CLOSE, {"token": token})
        if True in answers.data:
            return True
        for problem in answers.data:
            if problem is not False:
                raise Unavailable(f"The stream was not closed: {problem}")
        if not answers.are_complete:
            raise Unavailable(
                "The stream may be in a process that does not answer at the moment; try again in"
                " some seconds"
            )
        return False

    def _ask(self, kind: TypeAdapter[Any], question: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for answer in self._peers.ask(_LIST, question):
            try:
                found[answer.process] = kind.validate_python(answer.data)
            except ValidationError:  # of another version of this program, in a reload
                logger.warning("the list of another process's streams cannot be read")
        return found

    def _with_completeness(self, page: Page, asked: set[str], answered: Iterable[str]) -> Page:
        # A process that has ended meanwhile has no streams any more.
        missing = asked.intersection(self._peers.others()).difference(answered)
        return page._replace(is_complete=not missing)

    def _answer_list(self, question: dict[str, Any]) -> Any:
        if question.get("count"):
            return len(self._connections.registered())
        sort = Sort(question["sort"])
        rows, total = self._found(question["find"], sort, question["descending"])
        if question.get("posts"):
            return posts_of(rows, total, sort)
        ranges = question.get("ranges", {self._peers.process: (0, PAGE_ROWS)})
        if self._peers.process not in ranges:
            return None  # this process began after the first question
        return _part(rows, total, ranges[self._peers.process])

    def _answer_close(self, question: dict[str, Any]) -> Any:
        gateway, token = self._gateway(), question["token"]
        if not gateway.holds(token):
            return False
        try:
            gateway.close(token)
        except UnknownToken:
            return False  # it has ended meanwhile
        return True

    def _found(self, find: str, sort: Sort, descending: bool) -> tuple[list[Row], int]:
        rows = self._rows(self._number())
        found = matching(rows, find)
        return in_order(found, sort_key(sort), descending=descending), len(rows)

    def _rows(self, worker: int | None) -> list[Row]:
        registered = self._connections.registered()
        server = None if worker is None else server_of(self._peers.process) or None
        return local_rows(self._gateway(), registered, time.monotonic(), worker, server)


def _part(rows: list[Row], total: int, place: tuple[int, int]) -> Part:
    start, stop = place
    return Part(rows[start:stop], len(rows), total)
