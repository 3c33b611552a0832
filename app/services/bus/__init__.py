"""Redis, which orders the events of many servers, as the application uses it."""
