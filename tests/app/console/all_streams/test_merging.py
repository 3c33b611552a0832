"""One page of the tables of several processes, compared with a page of all rows together."""

from __future__ import annotations

import random

import pytest

from app.console.all_streams.merging import (
    Part,
    Posts,
    last_page,
    merged_page,
    posts_of,
    ranges_for,
)
from app.console.stream_table import PAGE_ROWS, Page, Row, Sort, in_order, sort_key


def rows_of(count: int, chance: random.Random) -> list[Row]:
    """Return rows with many equal values, and some without a value."""
    return [
        Row(
            token=f"{chance.random():.12f}",
            request_id=chance.choice("abc"),
            address=chance.choice([None, "192.0.2.1", "192.0.2.2"]),
            state="open",
            age=chance.choice([None, 1.0, 2.0, chance.random()]),
            events=chance.randrange(50),
        )
        for _ in range(count)
    ]


def ordered(rows: list[Row], sort: Sort, *, descending: bool) -> list[Row]:
    """Return rows in the order in which every process has them."""
    return in_order(rows, sort_key(sort), descending=descending)


def page_of_parts(
    tables: dict[str, list[Row]], page: int, sort: Sort, *, descending: bool
) -> tuple[Page, int]:
    """Return a page that is made in two questions, and the most rows that a process has sent."""
    posts = {name: posts_of(rows, len(rows), sort) for name, rows in tables.items()}
    ranges = ranges_for(page, posts, descending=descending)
    parts = {
        name: Part(rows[slice(*ranges[name])], len(rows), len(rows))
        for name, rows in tables.items()
    }
    most = max((len(part.rows) for part in parts.values()), default=0)
    skipped = sum(start for start, _ in ranges.values())
    return merged_page(page, parts, sort, descending=descending, skipped=skipped), most


def test_a_page_of_two_processes() -> None:
    """The second page of 150 and 100 rows has 100 rows, and the third one the rest."""
    chance = random.Random(1)
    rows = {"a": rows_of(150, chance), "b": rows_of(100, chance)}
    tables = {name: ordered(part, Sort.EVENTS, descending=True) for name, part in rows.items()}
    page, _ = page_of_parts(tables, 2, Sort.EVENTS, descending=True)
    assert (len(page.rows), page.page, page.pages, page.found, page.total) == (100, 2, 3, 250, 250)
    page, _ = page_of_parts(tables, 3, Sort.EVENTS, descending=True)
    assert (len(page.rows), page.page) == (50, 3)


@pytest.mark.parametrize("seed", range(12))
def test_each_page_is_that_of_all_rows(seed: int) -> None:
    """Whatever rows the processes have, the pages are those of one table, with bounded parts."""
    chance = random.Random(seed)
    processes = chance.randrange(1, 6)
    sort, descending = chance.choice(list(Sort)), chance.random() < 0.5
    tables = {
        str(number): ordered(
            rows_of(chance.choice([0, 1, 99, 100, 101, 900]), chance), sort, descending=descending
        )
        for number in range(processes)
    }
    everything = ordered(
        [row for rows in tables.values() for row in rows], sort, descending=descending
    )
    for number in range(1, last_page(len(everything)) + 1):
        page, most = page_of_parts(tables, number, sort, descending=descending)
        expected = everything[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
        assert page.rows == expected, (seed, number)
        assert most <= (processes + 2) * PAGE_ROWS


def test_the_first_page_needs_one_question() -> None:
    """Each process sends its first hundred rows, which hold the first page of all."""
    chance = random.Random(3)
    tables = [ordered(rows_of(250, chance), Sort.AGE, descending=False) for _ in range(3)]
    parts = {
        str(number): Part(rows[:PAGE_ROWS], len(rows), len(rows))
        for number, rows in enumerate(tables)
    }
    page = merged_page(1, parts, Sort.AGE, descending=False)
    everything = ordered([row for rows in tables for row in rows], Sort.AGE, descending=False)
    assert page.rows == everything[:PAGE_ROWS]
    assert (page.pages, page.found) == (8, 750)


def test_streams_that_end_between_the_questions() -> None:
    """A process that has fewer rows now, or has ended, costs rows and no error."""
    tables = {"a": Posts(250, 250, [1.0, 2.0, 3.0]), "b": Posts(0, 0, [])}
    ranges = ranges_for(3, tables, descending=False)
    skipped = ranges["a"][0]
    page = merged_page(3, {"a": Part([], 40, 40)}, Sort.AGE, descending=False, skipped=skipped)
    assert (page.rows, page.page, page.pages) == ([], 1, 1)
    assert merged_page(1, {}, Sort.AGE, descending=False) == Page([], 1, 1, 0, 0)
