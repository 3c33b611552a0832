"""Tests of the params of tasks."""
