"""A simulated estate whose platforms speak their vendors' real APIs; dogwatch meets it over HTTP only."""
