"""The sections of the bench: one module for each, with a function ``measure(context)``."""
