"""The night shift itself: when rounds are made, by whom, and what wakes them."""
