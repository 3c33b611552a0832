"""The backend's errors: their statuses, and the details of a validation error."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from app import errors
from app.errors import AppError, limit_details, validation_details


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("AppError", 500),
        ("BadRequest", 400),
        ("Unauthorized", 401),
        ("NotFound", 404),
        ("InvalidOperationException", 409),
        ("TooBusy", 503),
    ],
)
def test_each_error_has_its_status_and_message(name: str, status: int) -> None:
    """Every error is an AppError with its status, message and details."""
    error = getattr(errors, name)("what is wrong", ["one"])
    assert isinstance(error, AppError)
    assert (error.status, error.message, error.details, str(error)) == (
        status,
        "what is wrong",
        ["one"],
        "what is wrong",
    )
    assert getattr(errors, name)("x").details is None


def test_validation_details_leave_the_input_out() -> None:
    """The details do not have the refused input, which may be secret."""

    class Model(BaseModel):
        number: int

    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"number": "hunter2"})
    assert validation_details(caught.value) == [
        {
            "loc": ["number"],
            "msg": "Input should be a valid integer, unable to parse string as an integer",
            "type": "int_parsing",
        }
    ]


class Wide(BaseModel, extra="forbid"):
    """A payload that can have many faults."""

    numbers: list[int] = []


def faults(**values: object) -> list[dict[str, Any]]:
    """Return the validation details of some values."""
    with pytest.raises(ValidationError) as caught:
        Wide.model_validate(values)
    return validation_details(caught.value)


def test_many_faults_are_counted_not_described() -> None:
    """The first hundred faults are described; of more than a thousand, none is."""
    details = faults(numbers=["x"] * 250)
    assert [detail["loc"] for detail in details[:-1]] == [["numbers", i] for i in range(100)]
    assert details[-1] == {"loc": [], "msg": "150 more faults", "type": "more", "more": 150}
    many = {"loc": [], "msg": "49,000 more faults", "type": "more", "more": 49_000}
    assert faults(numbers=["x"] * 49_000) == [many]


def test_names_in_details_are_cut() -> None:
    """The names of fields are cut, because the caller chooses them."""
    (detail,) = faults(**{"a" * 100_000: 1})
    assert detail["loc"] == ["a" * 100 + "…"]
    assert len(str(detail)) < 300


def test_details_are_limited() -> None:
    """One more entry has the number of all entries that were left out."""

    def more(count: int) -> dict[str, Any]:
        return {
            "loc": [],
            "msg": f"{count} more fault{'s' if count > 1 else ''}",
            "type": "more",
            "more": count,
        }

    assert limit_details([], 2) == []
    assert limit_details(["a", "b"], 2) == ["a", "b"]
    assert limit_details(["a", "b", "c"], 2) == ["a", "b", more(1)]
    assert limit_details(["a", "b", more(5)], 2) == ["a", "b", more(5)]
    assert limit_details(["a", "b", "c", more(5)], 2) == ["a", "b", more(6)]
    assert limit_details(["a", more(5)], 0) == [more(6)]
