"""A small web server: a recording at /clip.mp4 (parts of it too), an endless MJPEG camera at /live, both open or locked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from tests.streams.pictures import numbered


@contextmanager
def web_server(clip: bytes, *, parts: bool = True) -> Iterator[str]:
    """The server's address, as long as the context lasts. parts: whether it gives parts of the recording."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/clip.mp4"):
                self._file()
            elif self.path.startswith("/live"):
                self._camera()
            else:
                self.send_error(401 if self.path.startswith("/locked") else 404)

        def _file(self) -> None:
            asked = self.headers.get("Range", "") if parts else ""
            first = int(asked.removeprefix("bytes=").partition("-")[0] or 0)
            self.send_response(206 if asked else 200)
            self.send_header("Content-Type", "video/mp4")
            self.send_header("Accept-Ranges", "bytes" if parts else "none")
            self.send_header("Content-Length", str(len(clip) - first))
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{len(clip) - 1}/{len(clip)}")
            self.end_headers()
            self._send(clip[first:])

        def _camera(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
            self.end_headers()
            number = 0
            while not over.wait(0.01):
                jpeg = cv2.imencode(".jpg", numbered(number % 256))[1].tobytes()
                head = (
                    f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                )
                if not self._send(head.encode() + jpeg + b"\r\n"):
                    return
                number += 1

        def _send(self, data: bytes) -> bool:
            try:
                self.wfile.write(data)
            except OSError:
                return False
            return True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
