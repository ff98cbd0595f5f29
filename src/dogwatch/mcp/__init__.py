"""The Model Context Protocol as a surface: read verbs as tools, proposals, resources and prompts.

Needs the extra ``mcp``. Nothing here acts, and whatever a platform said is marked as data.
"""
