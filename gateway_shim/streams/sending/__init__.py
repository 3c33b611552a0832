"""The receivers of events, and the turns in which they get them."""
