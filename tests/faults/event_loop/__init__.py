"""Tasks that block the event loop, or share locks with it."""
