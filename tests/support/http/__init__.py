"""The HTTP client, the stream reader and the fake servers of the tests."""
