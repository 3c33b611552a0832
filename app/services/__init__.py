"""The services of the backend: streams, events, versions, metrics."""
