"""The only room that acts: policy decides, people consent, the door is opened once, fresh data verifies."""
