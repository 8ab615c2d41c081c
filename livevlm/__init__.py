"""LiveVLM daemon: watches live video, remembers it, and answers questions about any of it."""

__version__ = "0.1.0"
