"""Ten minutes with a real RTSP server: `python tests/soak_rtsp.py VIDEO [MINUTES]`. Not a test; it prints what it saw.

Serves the video in a loop over RTSP from GStreamer (tests/gst_rtsp_server.py names the packages), watches it with
`livevlm serve`, kills the server in the middle for 20 seconds, asks before, during and after, and prints resident
memory and its slope over the second half.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIVEVLM = [sys.executable, "-m", "livevlm"]
CUT_S = 20.0
EVERY_S = 15.0


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def camera(video: str, port: int) -> subprocess.Popen[bytes]:
    """The RTSP server, in a process of its own, under the system's Python that has GStreamer's bindings."""
    return subprocess.Popen(
        ["/usr/bin/python3", str(HERE / "gst_rtsp_server.py"), video, str(port)],
        stdout=subprocess.DEVNULL,
    )


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) / 1024


def ask(server: str, when: str) -> bool:
    """One question by the command line client; prints what came, and says whether an answer did."""
    words = [*LIVEVLM, "ask", "what do you see?", "--server", server, "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    last = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    print(f"ask {when}: exit {done.returncode} {json.dumps(last)[:400]}", flush=True)
    return done.returncode == 0


def status(server: str) -> dict[str, object]:
    """The stream's status."""
    done = subprocess.run(
        [*LIVEVLM, "status", "--server", server, "--json"],
        capture_output=True,
        text=True,
        check=False,  # a stream that is down makes the status partial, exit code 6
    )
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def await_frames(server: str) -> None:
    """Until the daemon is up and has seen its first frame."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        words = [*LIVEVLM, "status", "--server", server, "--json"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode == 0 and json.loads(done.stdout.splitlines()[-1])["frames_encoded"]:
            return
        time.sleep(1)
    raise TimeoutError("no frame within two minutes")


def main(video: str, minutes: float) -> int:
    """Run, and print; 0 where every question was answered and frames flowed again after the cut."""
    rtsp, port = free_port(), free_port()
    server = f"127.0.0.1:{port}"
    source = camera(video, rtsp)
    daemon = subprocess.Popen(
        [*LIVEVLM, "serve", "--stream", f"cam=rtsp://127.0.0.1:{rtsp}/cam", "--listen", server]
    )
    began, cut_at, samples, answered = time.monotonic(), minutes * 60 * 0.45, [], []
    cut = restored = False
    try:
        await_frames(server)
        answered.append(ask(server, "before the cut"))
        while (now := time.monotonic() - began) < minutes * 60:
            if not cut and now > cut_at:
                source.kill()
                source.wait()
                cut = True
                time.sleep(CUT_S / 2)
                print("the camera is gone:", status(server), flush=True)
                answered.append(ask(server, "during the cut"))
                time.sleep(CUT_S / 2)
                source = camera(video, rtsp)
            elif cut and not restored:
                restored = True
                time.sleep(10)
                print("the camera is back:", status(server), flush=True)
                answered.append(ask(server, "after the cut"))
            samples.append((now, resident_mib(daemon.pid)))
            print(f"{now:6.0f} s  resident {samples[-1][1]:.1f} MiB", flush=True)
            time.sleep(EVERY_S)
        answered.append(ask(server, "at the end"))
        print("at the end:", status(server), flush=True)
    finally:
        daemon.terminate()
        code = daemon.wait(15)
        source.kill()
    half = [(at, size) for at, size in samples if at > minutes * 30]
    print(
        f"slope over the second half: {slope(half) * 60:+.3f} MiB a minute over {len(half)} samples; exit code {code}"
    )
    return 0 if all(answered) and len(answered) == 4 and code == 0 else 1


def slope(points: list[tuple[float, float]]) -> float:
    """Least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum(
        (x - mean_x) ** 2 for x, _ in points
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 10.0))
