"""Fuzzing: cases are generated, played on two gateways, and shrunk if the gateways differ."""
