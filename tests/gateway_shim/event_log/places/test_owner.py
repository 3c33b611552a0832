"""Tests of the owner of the log's directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway_shim.event_log.places.owner import Owner


def test_this_process_owns_what_it_makes(tmp_path: Path) -> None:
    """Nothing changes if the workers run as the same user as the arbiter."""
    Owner.of_this_process().own(tmp_path)
    assert (tmp_path.stat().st_uid, tmp_path.stat().st_gid) == Owner.of_this_process()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to another user")
def test_another_user_becomes_the_owner(tmp_path: Path) -> None:
    """With gunicorn's ``--user``, the workers' user owns the directory."""
    Owner(12345, 23456).own(tmp_path)
    assert (tmp_path.stat().st_uid, tmp_path.stat().st_gid) == (12345, 23456)
