"""The parts of the one-file binary, which keeps running without its files."""
