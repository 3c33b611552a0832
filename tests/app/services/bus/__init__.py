"""Tests of app/services/bus."""
