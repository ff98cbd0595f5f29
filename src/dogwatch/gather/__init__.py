"""What rules and correlation need to know, fetched from the store; what comes of it, written down. Sync."""
