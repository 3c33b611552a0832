"""The HTTP client for callbacks, sends, and whatever else this program asks of other servers."""
