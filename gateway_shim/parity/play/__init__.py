"""Plays scenarios on a gateway: launcher, clients, stub backend."""
