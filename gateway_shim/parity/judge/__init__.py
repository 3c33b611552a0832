"""Judging what gateways did: recordings, comparison, numbered divergences, verdicts, reports."""
