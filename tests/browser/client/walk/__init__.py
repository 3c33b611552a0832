"""The client in a world without a browser: random walks, and cases that happen seldom."""
