"""Wishes: whether what a configuration asks for can be had here: the port, TLS, the state directory, the streams."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from livevlm.checkup.finding import Finding, fault, ok, warning
from livevlm.config import Config, ServerConfig
from livevlm.errors import ConfigError, ListenFailed
from livevlm.service.listening import check_free
from livevlm.service.tls import ailment, server_context
from livevlm.watchconfig import StreamConfig
from streams.address import parse_address
from streams.doorbell import reachable
from streams.errors import StreamError

PATIENCE_S = 2.0
MIB = 1 << 20
AT_ONCE = 16


def look(config: Config, environ: Mapping[str, str]) -> list[Finding]:
    """Nothing is opened for longer than a moment, and nothing is changed."""
    found = [port(config.server), access(config.server), state(config)]
    if not config.streams:
        return [*found, ok("streams", "none in the configuration")]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [
            *found,
            *pool.map(lambda one: stream(one[0], one[1], environ), config.streams.items()),
        ]


def port(server: ServerConfig) -> Finding:
    """Whether the address can be listened on. A daemon that runs is no fault."""
    try:
        check_free(server.host, server.port)
    except ListenFailed as error:
        reason, _, way_out = error.message.partition("; ")
        if "it is in use" in reason:
            return warning("port", reason, f"where that is not the daemon itself, {way_out}")
        return fault("port", reason, way_out)
    return ok("port", f"{server.listen} is free")


def access(server: ServerConfig) -> Finding:
    """The token's file, and those of TLS."""
    way_out = "mend it, or take it out of [server]"
    try:
        token = server.token()
        wrong = None
        if server.tls_cert:
            context = server_context(server.tls_cert, server.tls_key)
            wrong = ailment(context, server.tls_cert)
    except ConfigError as error:
        return fault("access", error.message, way_out)
    if wrong is not None:
        reason, _, way_out = wrong.partition("; ")
        return warning("access", f"server.tls_cert {server.tls_cert}: {reason}", way_out)
    return ok("access", f"{'a' if token else 'no'} token, {'TLS' if server.tls_cert else 'no TLS'}")


def state(config: Config) -> Finding:
    """Whether the state directory, or the folder it is to be made in, can be written, and holds the archives."""
    if not config.server.state_dir:
        return ok("state", "none: memories end with the daemon (server.state_dir)")
    folder = Path(config.server.state_dir).expanduser().absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return fault("state", f"{there} cannot be written", "give it to the daemon's user")
    free = shutil.disk_usage(there).free // MIB
    wanted = config.memory.archive_disk_mb * len(config.streams) if config.memory.archive else 0
    if free < wanted:
        way_out = "make room, or lower memory.archive_disk_mb"
        return warning("state", f"{folder}: {free} MiB free, {wanted} may be needed", way_out)
    return ok("state", f"{folder}: {free} MiB free")


def stream(name: str, settings: StreamConfig, environ: Mapping[str, str]) -> Finding:
    """Whether somebody answers where a stream comes from; it is not opened, and no credentials are sent."""
    label = f"stream {name}"
    try:
        address = parse_address(settings.address(environ))
    except (ConfigError, StreamError) as error:
        return fault(label, error.message, "mend its url, or set the variable")
    if address.kind == "file" and not os.path.exists(address.target):
        return fault(label, f"{address.shown}: no such file", "check the path")
    if address.format == "x11grab" and not environ.get("DISPLAY"):
        return fault(label, f"{address.shown}: DISPLAY is not set", "start it from the desktop")
    if not reachable(address, PATIENCE_S):
        way_out = (
            "see that it is switched on, and that the address is right, with user and password where it wants them; "
            "`livevlm probe` tells more"
        )
        return fault(label, f"{address.shown} does not answer", way_out)
    if address.scheme == "srt":
        return ok(label, f"{address.shown}: cannot be asked without opening it")
    return ok(label, f"{address.shown} answers" if address.kind == "network" else address.shown)
