"""Whether an address can be listened on is known before the model is loaded."""

from __future__ import annotations

import socket

import pytest

from livevlm.errors import ListenFailed
from livevlm.service.listening import check_free


def test_a_free_port_stays_free() -> None:
    """Asking takes nothing away: the port can be listened on right after."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    check_free("127.0.0.1", port)
    socket.create_server(("127.0.0.1", port)).close()
    check_free("127.0.0.1", 0)


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    """Two daemons on one port: the second says so."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ListenFailed, match=rf":{port}: it is in use.*--listen"):
            check_free("127.0.0.1", port)


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    """A wrong host is an error of the address, not a traceback."""
    with pytest.raises(ListenFailed, match=r"cannot listen on 192\.0\.2\.1:80"):
        check_free("192.0.2.1", 80)
