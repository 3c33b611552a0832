"""Bodies of requests, pure: content codings, charsets, and JSON that is nested deeply."""
