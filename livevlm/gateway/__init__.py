"""Doors beside the daemon, for programs that speak another protocol: OpenAI's chat completions over HTTP, and MCP.

Each is a process of its own that talks to the daemon as any client does, and needs an extra of its own to be installed.
"""
