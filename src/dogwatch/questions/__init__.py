"""Questions that people type, understood by rules: what is asked, about what, and about which time. Pure."""
