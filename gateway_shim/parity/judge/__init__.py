"""Compares what two gateways did, and knows the numbered divergences."""
