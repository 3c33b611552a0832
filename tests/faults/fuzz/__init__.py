"""Random input for the HTTP parser and the API."""
