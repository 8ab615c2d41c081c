"""Serves video files, one after the other in a loop, over RTSP with GStreamer's server, at rtsp://127.0.0.1:PORT/cam.

Run by the system's Python, which has GStreamer's bindings:  /usr/bin/python3 tests/gst_rtsp_server.py FILE... PORT
Debian: gir1.2-gst-rtsp-server-1.0 gstreamer1.0-rtsp gstreamer1.0-plugins-{base,good,bad,ugly} python3-gi, and for files that
are not H.264 gstreamer1.0-libav. With `--user U --password P` it asks for them. Ctrl-C or SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtspServer  # noqa: E402

WHOLE = "video/x-h264,stream-format=byte-stream,alignment=au"
AS_IT_IS = f"filesrc name=file ! qtdemux ! h264parse config-interval=-1 ! {WHOLE} ! appsink name=out sync=false"
ENCODED = (
    "filesrc name=file ! decodebin ! videoconvert ! video/x-raw,format=I420 ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=50 ! "
    f"h264parse config-interval=-1 ! {WHOLE} ! appsink name=out sync=false"
)
SERVED = f"( appsrc name=in is-live=true format=time caps={WHOLE} ! h264parse ! rtph264pay name=pay0 pt=96 )"


class Unit:
    """One encoded picture: its bytes, and when it is decoded and shown, in nanoseconds from the file's beginning."""

    def __init__(self, sample: Gst.Sample) -> None:
        buffer = sample.get_buffer()
        self.data = buffer.extract_dup(0, buffer.get_size())
        self.pts = buffer.pts
        self.dts = buffer.dts if buffer.dts != Gst.CLOCK_TIME_NONE else buffer.pts


def read_units(path: Path) -> list[Unit]:
    """The file's pictures as H.264, encoded anew where they are not."""
    for description in (AS_IT_IS, ENCODED):
        pipeline = Gst.parse_launch(description)
        pipeline.get_by_name("file").set_property("location", str(path))
        pipeline.set_state(Gst.State.PLAYING)
        out, units = pipeline.get_by_name("out"), []
        while sample := out.try_pull_sample(10 * Gst.SECOND):
            units.append(Unit(sample))
        pipeline.set_state(Gst.State.NULL)
        if units:
            return units
    sys.exit(f"{path}: no pictures in it that GStreamer can read")


def length_of(units: list[Unit]) -> int:
    """How long they play, in nanoseconds."""
    passed = units[-1].dts - units[0].dts
    return passed + passed // max(1, len(units) - 1)


def in_turn(films: list[list[Unit]]) -> list[Unit]:
    """All of them as one."""
    whole = films[0]
    for film in films[1:]:
        later = whole[0].dts + length_of(whole) - film[0].dts
        for unit in film:
            unit.pts, unit.dts = unit.pts + later, unit.dts + later
        whole = [*whole, *film]
    return whole


class Feeder:
    """Pushes the pictures into one opened stream, each when it is due, round and round with time going on."""

    def __init__(self, source: GstApp.AppSrc, units: list[Unit]) -> None:
        self._source, self._units = source, units
        self._length = length_of(units)
        self._began, self._count = GLib.get_monotonic_time(), 0
        GLib.timeout_add(5, self._push_due)

    def _push_due(self) -> bool:
        passed = (GLib.get_monotonic_time() - self._began) * 1000
        while True:
            turn, place = divmod(self._count, len(self._units))
            unit, first = self._units[place], self._units[0].dts
            if turn * self._length + unit.dts - first > passed:
                return True
            buffer = Gst.Buffer.new_wrapped(unit.data)
            buffer.pts = turn * self._length + unit.pts - first
            buffer.dts = turn * self._length + unit.dts - first
            if self._source.push_buffer(buffer) != Gst.FlowReturn.OK:
                return False
            self._count += 1


def restrict(
    server: GstRtspServer.RTSPServer,
    factory: GstRtspServer.RTSPMediaFactory,
    user: str,
    password: str,
) -> None:
    """Ask for these credentials, by digest."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(
        GstRtspServer.RTSPAuthMethod.DIGEST if hasattr(GstRtspServer, "RTSPAuthMethod") else 2
    )
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role("viewer")
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


def main() -> None:
    """Read the file, serve it until told to stop."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, nargs="+")
    parser.add_argument("port", type=int)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    args = parser.parse_args()
    Gst.init(None)
    units = in_turn([read_units(path) for path in args.file])
    server, factory, feeders = GstRtspServer.RTSPServer(), GstRtspServer.RTSPMediaFactory(), []

    def configure(_factory: object, media: GstRtspServer.RTSPMedia) -> None:
        feeders[:] = [Feeder(media.get_element().get_by_name("in"), units)]

    factory.set_launch(SERVED)
    factory.set_shared(True)
    factory.connect("media-configure", configure)
    if args.user:
        restrict(server, factory, args.user, args.password)
    server.set_address("127.0.0.1")
    server.set_service(str(args.port))
    server.get_mount_points().add_factory("/cam", factory)
    if not server.attach(None):
        sys.exit(f"port {args.port} cannot be listened on")
    loop = GLib.MainLoop()
    for number in (signal.SIGINT, signal.SIGTERM):
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, loop.quit)
    print(f"rtsp://127.0.0.1:{args.port}/cam: {len(units)} pictures in a loop", flush=True)
    loop.run()


if __name__ == "__main__":
    main()
