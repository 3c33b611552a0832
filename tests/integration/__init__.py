"""The backend with each kind of gateway: the same tests over all of them."""
