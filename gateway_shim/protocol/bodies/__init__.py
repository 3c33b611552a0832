"""Bodies of requests: content codings, charsets and deeply nested JSON. Pure."""
