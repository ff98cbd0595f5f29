"""What depends on what: the graph of jobs and components that all rooms share, and what users declare."""
