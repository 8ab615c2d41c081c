"""The picture of the dashboard in the documentation, taken from a run: `python -m tests.e2e.screenshot --out docs`.

A daemon with the bundled model watches a recording of known content, a live pattern and a camera that is not there; it is
asked two questions by keyboard, and what a person sees then is docs/dashboard.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from livevlm.sample import read_sample
from tests.e2e.browser import Tab, browser
from tests.e2e.test_daemon import daemon

WIDTH, HEIGHT = 1280, 996
SETTINGS = ("memory.short_term_frames=8", "memory.budget_tokens=512", "ingest.fps=1")
QUESTIONS = ("what do you see?", "what color was the star?")
# The recording was seen to its end, the live stream for a while, and the page knows it.
SEEN = (
    "((ends) => ends[0] === '0:59' && ends[1] >= '0:20')"
    "([...document.querySelectorAll('.axis span:last-child')].map((one) => one.textContent))"
)
LOADED = "[...document.querySelectorAll('.thumb img')].every((one) => one.naturalWidth)"


def main() -> None:
    """Film, watch, ask, and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--phone", type=Path, help="where a picture of a phone's screen goes")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with browser() as chromium, chromium.tab() as tab:
        tab.scheme(options.scheme)
        tab.size(WIDTH, HEIGHT)
        take(tab, options.out / "dashboard.png", options.phone)


def take(tab: Tab, path: Path, phone: Path | None) -> None:
    """Run a daemon, use its dashboard, and keep what is seen."""
    video = path.with_name("dashboard-sample.mp4")
    read_sample().record(video)
    streams = (f"table={video}", "yard=test:?live=1&seed=5", "gate=rtsp://127.0.0.1:9/gate")
    words = [word for stream in streams for word in ("--stream", stream)]
    words += [word for setting in SETTINGS for word in ("--set", setting)]
    try:
        with daemon("--model", "bundled", *words, "--set", "streams.table.speed=max") as process:
            host = process.address().removeprefix("ws://").split("/")[0]
            tab.open(f"http://{host}/")
            tab.wait(SEEN)
            for question in QUESTIONS:
                tab.value("document.querySelector('#question').focus()")
                tab.type(question)
                tab.press("Enter")
                tab.wait("document.querySelector('.answer')?.getAttribute('aria-busy') === 'false'")
            tab.wait(
                f"document.querySelectorAll('.answer').length === {len(QUESTIONS)} && {LOADED}"
            )
            tab.value("document.activeElement.blur()")
            tab.screenshot(path)
            if phone is not None:
                tab.size(375, 812, scale=2)
                tab.screenshot(phone)
    finally:
        video.unlink()


if __name__ == "__main__":
    main()
