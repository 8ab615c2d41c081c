"""The daemon's port: the protocol as plain functions of messages, and a thin shell of sockets around it."""
