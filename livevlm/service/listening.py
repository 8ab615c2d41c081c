"""Listening: whether an address can be listened on, asked before anything slow is done for it."""

from __future__ import annotations

import socket

from livevlm.service.server import listen_failed


def check_free(host: str, port: int) -> None:
    """Raises ListenFailed where the address cannot be listened on now."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
                probe.listen(1)
    except OSError as error:
        raise listen_failed(host, port, error) from error
