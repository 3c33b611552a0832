"""The version of the frontend that is sent to browsers: its sources, and the fetch over HTTP."""
