"""Agents: they read, cite and propose; what they say is checked in code, and none of them can do anything."""
