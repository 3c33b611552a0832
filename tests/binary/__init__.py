"""Tests of the one-file binary, which ``make binary`` builds."""
