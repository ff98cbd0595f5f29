"""Why it happened, by rules alone: classify an error text, rank the culprits, find the start in a stream."""
