"""Deployments, crashes, reloads and stops while streams are open."""
