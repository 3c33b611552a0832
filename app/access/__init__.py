"""Who may ask for what: addresses, hosts, origins, and limits of request bodies."""
