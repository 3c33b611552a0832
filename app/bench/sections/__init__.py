"""What is measured: one section a module, each with a ``measure(stage)`` of its own."""
