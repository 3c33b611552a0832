"""The backend's errors: statuses, and what a validation error tells."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from app import errors
from app.errors import AppError, validation_details


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
