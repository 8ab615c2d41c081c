"""Checking a machine and a configuration before, or instead of, starting a daemon: each module looks at one side of it."""
