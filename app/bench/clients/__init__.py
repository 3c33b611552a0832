"""The processes that read and send while the bench measures."""
