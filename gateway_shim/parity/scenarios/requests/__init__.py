"""Scenarios about requests, byte for byte."""
