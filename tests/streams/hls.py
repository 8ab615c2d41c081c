"""HTTP Live Streaming as it is really served: a playlist and its segments, written while they are read, behind a web server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from tests.streams.pictures import SIZE, numbered

FPS = 10
# A whole second: the playlist says it in whole seconds, and is read again after half of it.
SEGMENT_S = 1.0
LISTED = 4


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """The address at which a web server gives the folder's files, as long as the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class Playlist:
    """Writes numbered pictures as segments; a context manager. `rolling`: only the newest are listed, and old ones deleted."""

    def __init__(self, folder: Path, *, rolling: bool) -> None:
        self.path = folder / "cam.m3u8"
        self.written = 0
        options = {"hls_time": str(SEGMENT_S), "hls_segment_filename": str(folder / "part%03d.ts")}
        options |= (
            {"hls_list_size": str(LISTED), "hls_flags": "delete_segments+omit_endlist+temp_file"}
            if rolling
            else {"hls_list_size": "0", "hls_playlist_type": "vod"}
        )
        self._container: OutputContainer = av.open(
            str(self.path), "w", format="hls", options=options
        )
        stream = self._container.add_stream(
            "libx264", FPS, options={"preset": "ultrafast", "tune": "zerolatency"}
        )
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self._stream.width, self._stream.height, self._stream.pix_fmt = *SIZE, "yuv420p"
        self._stream.codec_context.gop_size = round(FPS * SEGMENT_S)

    def write(self, count: int) -> None:
        """Append so many pictures."""
        for _ in range(count):
            picture = av.VideoFrame.from_ndarray(numbered(self.written % 256), format="rgb24")
            picture.pts = self.written
            self._container.mux(self._stream.encode(picture))
            self.written += 1

    def end(self) -> None:
        """Finish the playlist; one that is not rolling then says that it is whole."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


@contextmanager
def broadcast(folder: Path) -> Iterator[Playlist]:
    """A rolling playlist that goes on, a picture each 1/FPS s, as long as the context lasts."""
    playlist, over = Playlist(folder, rolling=True), threading.Event()
    playlist.write(round(FPS * SEGMENT_S * LISTED) + 1)

    def go_on() -> None:
        while not over.wait(1 / FPS):
            playlist.write(1)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield playlist
    finally:
        over.set()
        thread.join()
        playlist.end()
