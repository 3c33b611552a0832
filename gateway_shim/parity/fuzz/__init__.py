"""Generates cases, predicts their outcome, and shrinks those that differ."""
