"""``sse-monolith bench``: what this machine's kernel can do, and how near to it we come."""
