"""The version of the frontend that browsers are told: its sources, and the fetch over HTTP."""
