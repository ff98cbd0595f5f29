"""The one door to the outside, and the protocols that keep rooms from knowing each other."""
