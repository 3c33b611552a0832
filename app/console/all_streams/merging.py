"""Finds one page in the tables of several processes, without reading all of them. Pure.

Each process sorts its own rows. Rows with the same value are in the order of their processes'
names, and then in the order in which their process has them. To find a page in the middle, a
process first tells only its *posts*: every hundredth row. They say about how many rows of each
process come before the page. Then each process gives the few hundred rows that may belong to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.console.stream_table import PAGE_ROWS, Page, Row, Sort, in_order, sort_key

__all__ = ["Part", "Posts", "merged_page", "posts_of", "ranges_for"]

_POST_ROWS = 100
"""The number of rows from one post to the next."""


class Posts(NamedTuple):
    """The outline of the table of one process.

    Args:
        found: the number of rows that the search has found.
        total: the number of all rows.
        posts: the sort keys of the rows 0, 100, 200, …
    """

    found: int
    total: int
    posts: list[str | float | None]


class Part(NamedTuple):
    """The rows of one process that may belong to a page.

    Args:
        rows: the rows.
        found: the number of rows that the search has found in this process.
        total: the number of all rows of this process.
    """

    rows: list[Row]
    found: int
    total: int


def posts_of(rows: Sequence[Row], total: int, sort: Sort) -> Posts:
    """Return the outline of a table.

    Args:
        rows: the rows that the search has found, in order.
        total: the number of all rows.
        sort: the column that they are sorted by.
    """
    key = sort_key(sort)
    return Posts(len(rows), total, [key(row) for row in rows[::_POST_ROWS]])


def ranges_for(
    page: int, tables: Mapping[str, Posts], *, descending: bool
) -> dict[str, tuple[int, int]]:
    """Return which rows of each process may belong to a page: the first one, and after the last.

    At most a few hundred rows of each process, whatever the page.

    Args:
        page: the number of the page, from 1; it must exist.
        tables: the outline of each process's table.
        descending: True for the largest value first.
    """
    first = (page - 1) * PAGE_ROWS
    ranges = {name: (0, table.found) for name, table in tables.items()}
    seen = dict.fromkeys(tables, 0)  # the posts that come before the one that is looked at
    posts = [
        (key, name, rank * _POST_ROWS)
        for name, table in sorted(tables.items())
        for rank, key in enumerate(table.posts)
    ]
    for _, name, rank in in_order(posts, lambda post: post[0], descending=descending):
        # The rows of other processes that come before this one: at least, and at most.
        least = most = rank
        for other, count in seen.items():
            if other != name and count:
                least += (count - 1) * _POST_ROWS + 1
                most += min(count * _POST_ROWS, tables[other].found)
        start, stop = ranges[name]
        if most <= first:
            start = rank
        if least >= first + PAGE_ROWS:
            stop = min(stop, rank)
        ranges[name] = start, stop
        seen[name] += 1
    return ranges


def merged_page(
    page: int, parts: Mapping[str, Part], sort: Sort, *, descending: bool, skipped: int = 0
) -> Page:
    """Return one page of the tables of several processes.

    Args:
        page: the number of the page. Beyond the last page, it is the last page.
        parts: the rows of each process that may belong to the page.
        sort: the column that they are sorted by.
        descending: True for the largest value first.
        skipped: the number of rows of all processes that come before the parts.
    """
    found = sum(part.found for part in parts.values())
    total = sum(part.total for part in parts.values())
    page = min(page, last_page(found))
    # Between the two questions streams come and go, so the page may begin a few rows too early.
    first = max((page - 1) * PAGE_ROWS - skipped, 0)
    rows = [row for _, part in sorted(parts.items()) for row in part.rows]
    rows = in_order(rows, sort_key(sort), descending=descending)
    return Page(rows[first : first + PAGE_ROWS], page, last_page(found), found, total)


def last_page(found: int) -> int:
    """Return the number of the last page of so many rows, at least 1."""
    return max(math.ceil(found / PAGE_ROWS), 1)
