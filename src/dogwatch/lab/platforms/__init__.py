"""One twin per platform: the vendor's HTTP API, answered from a simulated world."""
