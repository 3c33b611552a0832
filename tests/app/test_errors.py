"""The backend's errors: statuses, and what a validation error tells."""

from __future__ import annotations

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
def test_each_error_has_its_status_and_says_itself(name, status):
    """All stem from one root, and carry message and details."""
    error = getattr(errors, name)("what is wrong", ["one"])
    assert isinstance(error, AppError)
    assert (error.status, error.message, error.details, str(error)) == (
        status,
        "what is wrong",
        ["one"],
        "what is wrong",
    )
    assert getattr(errors, name)("x").details is None


def test_validation_details_leave_the_input_out():
    """What was refused may be a secret."""

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
    """A payload of which much can be wrong."""

    numbers: list[int] = []


def faults(**values):
    """What a validation error tells of these values."""
    with pytest.raises(ValidationError) as caught:
        Wide.model_validate(values)
    return validation_details(caught.value)


def test_many_faults_are_counted_not_described():
    """The first hundred are described; of more than a thousand none."""
    details = faults(numbers=["x"] * 250)
    assert [detail["loc"] for detail in details[:-1]] == [["numbers", i] for i in range(100)]
    assert details[-1] == {"loc": [], "msg": "150 more faults", "type": "more", "more": 150}
    many = {"loc": [], "msg": "49,000 more faults", "type": "more", "more": 49_000}
    assert faults(numbers=["x"] * 49_000) == [many]


def test_names_in_details_are_cut():
    """They are the caller's."""
    (detail,) = faults(**{"a" * 100_000: 1})
    assert detail["loc"] == ["a" * 100 + "…"]
    assert len(str(detail)) < 300


def test_details_are_limited():
    """One entry more says how many were left out, those that had been left out before included."""

    def more(count):
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
