"""The one-file binary, as it is deployed. ``make binary`` builds it; these only run it."""
