"""Access control: listening addresses, hosts, origins, and the limits of request bodies."""
