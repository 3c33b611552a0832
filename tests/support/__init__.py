"""What live tests are made of: a raw HTTP client, an SSE parser, servers in subprocesses."""
