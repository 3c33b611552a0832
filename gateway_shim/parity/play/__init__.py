"""Playing scenarios on gateways: processes, clients, the stub backend, players.

Imports run in one direction: ``runner`` → ``targets`` → ``player`` → ``actions`` → ``context``.
"""
