"""What production does to a server: kills, deploys, dead networks, hostile clients."""
