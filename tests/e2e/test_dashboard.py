"""The dashboard in a real browser: what a person sees and does there, by keyboard, against a real daemon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.browser import Tab, foreign, needed
from tests.livevlm.test_daemon import configuration, running

HOSTILE = "<img src=x onerror=document.title='broken'>"

pytestmark = needed()


class Watching:
    """A daemon with one stream that stays at its address when it is started anew."""

    def __init__(self, *settings: str) -> None:
        self._settings = ("streams.hall.url=test:?live=1", *settings)
        self._daemon = ExitStack()
        self.host = ""

    def __enter__(self) -> Watching:
        listen = (f"server.listen={self.host}",) if self.host else ()
        config = configuration(*self._settings, *listen)
        _, address = self._daemon.enter_context(running(config))
        self.host = address.removeprefix("ws://").split("/")[0]
        return self

    def __exit__(self, *error: object) -> None:
        self._daemon.close()

    def show(self, tab: Tab) -> None:
        """Open the page."""
        tab.open(f"http://{self.host}/")


@pytest.fixture(scope="module")
def watching() -> Iterator[Watching]:
    """A daemon that several tests look at."""
    with Watching() as one:
        yield one


def connected(tab: Tab) -> None:
    """Wait until the page is connected and shows a picture that the browser could read."""
    tab.wait("['open', 'anew'].includes(document.querySelector('#link').dataset.state)")
    tab.wait("document.querySelector('.picture img').naturalWidth > 0")


def tabbed_to(tab: Tab, selector: str) -> None:
    """Go to an element as the keyboard does."""
    for _ in range(40):
        tab.press("Tab")
        if tab.value(f"document.activeElement.matches({selector!r})"):
            return
    raise AssertionError(f"{selector} cannot be reached with the tab key")


def asked(tab: Tab, text: str) -> None:
    """Ask with the keys alone, and wait for the answer's end."""
    tabbed_to(tab, "#question")
    tab.type(text)
    tab.press("Enter")
    tab.wait("document.querySelector('.answer')?.getAttribute('aria-busy') === 'false'")


def clean(tab: Tab, host: str) -> None:
    """Nothing went wrong in the page, and nobody but the daemon was spoken to."""
    assert tab.said.console == []
    assert foreign(tab.said.requests, host) == []


def test_a_question_by_keyboard_its_answer_and_its_evidence(tab: Tab, watching: Watching) -> None:
    """From the stream's picture to the frame that an answer was given from, without a pointer, and without an error."""
    watching.show(tab)
    connected(tab)
    assert tab.value("document.querySelector('.card h3').textContent") == "hall"
    assert tab.value("document.querySelector('.card .state').textContent") == "live"
    tab.wait("document.querySelector('.lane.short .tokens').textContent !== '0'")
    assert tab.value("document.querySelectorAll('.lit rect').length") == 0
    asked(tab, "what do you see?")
    assert tab.value("document.querySelector('.answer').dataset.status") != "failed"
    assert tab.value("document.querySelector('.answer h3').textContent") == "what do you see?"
    assert "first word after" in tab.value("document.querySelector('.answer .facts').textContent")
    assert tab.value("document.querySelector('#told').textContent.length") > 0
    tab.wait("document.querySelector('.thumb img').naturalWidth > 0")
    assert tab.value("document.querySelectorAll('.lit rect').length") > 0
    tabbed_to(tab, ".thumb")
    assert tab.value("document.querySelectorAll('.lit .focused').length") == 1
    tab.press("Enter")
    tab.wait("document.querySelector('#viewer').open")
    tab.wait("document.querySelector('#viewer-image').naturalWidth > 0")
    assert tab.value("document.querySelector('#viewer-title').textContent").startswith("hall, 0:")
    tab.press("Escape")
    tab.wait("!document.querySelector('#viewer').open")
    assert tab.value("document.activeElement.matches('.thumb')")
    clean(tab, watching.host)


def test_the_answer_is_streamed_and_kept_above_the_older_one(tab: Tab, watching: Watching) -> None:
    """Piece by piece, as the daemon makes it; two answers stay, the newest first; what is typed stays text."""
    watching.show(tab)
    connected(tab)
    tab.value(
        "(() => { window.grown = new Set(); new MutationObserver(() => { const text = document.querySelector('.answer .text'); "
        "if (text) grown.add(text.childNodes.length); }).observe(document.body, { childList: true, subtree: true }); })()"
    )
    asked(tab, HOSTILE)
    assert tab.value("[...window.grown].some((pieces) => pieces > 1)")
    tab.value("document.querySelector('.skip').focus()")
    asked(tab, "what else?")
    asked_for = tab.value("[...document.querySelectorAll('.answer h3')].map((e) => e.textContent)")
    assert asked_for == ["what else?", HOSTILE]
    assert tab.value("document.title") == "LiveVLM"
    clean(tab, watching.host)


def test_a_long_answer_is_cancelled_and_can_be_asked_again(tab: Tab) -> None:
    """By the key, while it is made; what had been said stays, and the focus goes to what can be done next."""
    with Watching("answer.max_tokens=4096") as watching:
        watching.show(tab)
        connected(tab)
        tabbed_to(tab, "#question")
        tab.type("tell me everything")
        tab.press("Enter")
        tab.wait("document.querySelector('.answer .text').textContent.length > 0")
        tab.value("document.querySelector('.answer .actions button').focus()")
        tab.press("Enter")
        tab.wait("document.querySelector('.answer').dataset.status === 'cancelled'")
        assert tab.value("document.querySelector('.answer .text').textContent.length") > 0
        assert tab.value("document.activeElement.textContent") == "Ask again"
        clean(tab, watching.host)


def test_looking_back_shows_an_older_picture(tab: Tab, watching: Watching) -> None:
    """The slider below the timeline goes through what is remembered, and Escape comes back to now."""
    watching.show(tab)
    connected(tab)
    tab.wait("Number(document.querySelector('.axis input').max) >= 3")
    tabbed_to(tab, ".axis input")
    tab.press("Home")
    tab.wait("document.querySelector('.moment').textContent.startsWith('about 0:0')")
    assert tab.value("document.querySelector('.picture img').naturalWidth") > 0
    tab.press("Escape")
    tab.wait("document.querySelector('.moment').textContent === 'newest'")
    clean(tab, watching.host)


def pressed(tab: Tab, button: str) -> None:
    """Push a button of the stream "yard" by its key."""
    tab.value(
        f"[...{YARD}.querySelectorAll('button')].find((e) => e.textContent === {button!r}).focus()"
    )
    tab.press("Enter")


YARD = "[...document.querySelectorAll('.card')].find((e) => e.querySelector('h3').textContent === 'yard')"


def test_a_stream_is_added_paused_resumed_and_removed(tab: Tab, watching: Watching) -> None:
    """What the daemon watches is changed from the page; what it refuses is said beside the form; a password is not shown."""
    watching.show(tab)
    connected(tab)
    tabbed_to(tab, "#adding summary")
    tab.press("Enter")
    tabbed_to(tab, "[name=name]")
    tab.type("hall")
    tabbed_to(tab, "[name=url]")
    tab.type("rtsp://me:hunter2@127.0.0.1:9/yard")
    tab.press("Enter")
    tab.wait("document.querySelector('#add-trouble').textContent.includes('hall')")
    tab.value("document.querySelector('[name=name]').value = 'yard'")
    tab.press("Enter")
    tab.wait(
        f"{YARD}.querySelector('.trouble').textContent.includes('rtsp://***@127.0.0.1:9/yard')"
    )
    tab.wait("[...document.querySelectorAll('#about option')].some((e) => e.value === 'yard')")
    pressed(tab, "Pause")
    tab.wait(f"{YARD}.querySelector('.state').textContent === 'paused'")
    pressed(tab, "Resume")
    tab.wait(f"{YARD}.querySelector('.state').textContent !== 'paused'")
    pressed(tab, "Remove")
    pressed(tab, "Really remove?")
    tab.wait(f"{YARD} === undefined")
    assert "hunter2" not in tab.value("document.documentElement.innerHTML")
    clean(tab, watching.host)


def test_what_is_watched_for_is_listed_until_it_is_stopped(tab: Tab, watching: Watching) -> None:
    """A condition becomes a watch instead of a question; a refused one is said; what it is called stays text."""
    watching.show(tab)
    connected(tab)
    tabbed_to(tab, "#question")
    tab.type(HOSTILE)
    tabbed_to(tab, "#watch")
    tab.press("Enter")
    tab.wait("document.querySelector('.watch .quiet').textContent.startsWith('hall · ')")
    assert tab.value("document.querySelector('.watch .condition').textContent") == HOSTILE
    assert tab.value("document.querySelector('.answer')") is None
    tab.value("document.querySelector('#question').focus()")
    tab.type("x" * 600)
    tab.value("document.querySelector('#watch').focus()")
    tab.press("Enter")
    tab.wait("document.querySelector('#ask-trouble').textContent.includes('condition')")
    tab.value("document.querySelector('.watch .plain').focus()")
    tab.press("Enter")
    tab.wait("document.querySelector('#watches').hidden")
    clean(tab, watching.host)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_it_fits_a_phone_and_follows_the_scheme(
    tab: Tab, watching: Watching, scheme: str, width: int
) -> None:
    """No scrolling sideways, text that can be read on its ground, and nothing that moves once it is there."""
    tab.size(width, 800)
    tab.scheme(scheme)
    watching.show(tab)
    connected(tab)
    asked(tab, "a question of so many words that it has to be broken into lines somewhere")
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0] > 127"
    ) is (scheme == "light")
    assert tab.value(CONTRAST) >= 4.5
    assert tab.value(SHIFT) < 0.05
    clean(tab, watching.host)


# The lowest contrast (WCAG 2) of any text on the page with the ground that it stands on.
CONTRAST = """(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => parts(colour).slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const found = parts(getComputedStyle(one).backgroundColor);
      if (found.length < 4 || found[3] > 0.5) return getComputedStyle(one).backgroundColor;
    }
    return "rgb(255 255 255)";
  };
  let lowest = 21;
  for (const one of document.querySelectorAll("body *")) {
    if (!one.checkVisibility() || ![...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    if (one.closest(":disabled")) continue;
    const [a, b] = [light(getComputedStyle(one).color), light(ground(one))];
    lowest = Math.min(lowest, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return lowest;
})()"""

# How much has moved without anybody's doing, as browsers count it.
SHIFT = """new Promise((keep) => {
  let sum = 0;
  new PerformanceObserver((list) => { for (const one of list.getEntries()) if (!one.hadRecentInput) sum += one.value; })
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => keep(sum), 200);
})"""


def test_every_control_has_a_name_and_shows_its_focus(tab: Tab, watching: Watching) -> None:
    """Whoever cannot see the page hears what a control is for; whoever uses the keys sees where they are."""
    watching.show(tab)
    connected(tab)
    nodes = tab.do("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "textbox", "combobox", "radio", "slider", "link"}
    found = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and node["role"]["value"] in controls
    }
    assert {role for role, _ in found} >= {"button", "textbox", "combobox", "radio", "slider"}
    assert all(name for _, name in found), found
    # What a browser takes for a name where there is none, such as a placeholder, goes away with the first letter.
    assert (
        tab.value(
            "[...document.querySelectorAll('input, textarea, select')].filter((e) => !e.labels.length && !e.ariaLabel).length"
        )
        == 0
    )
    order = []
    for _ in range(12):
        tab.press("Tab")
        order.append(tab.value("document.activeElement.id || document.activeElement.className"))
        assert tab.value(FOCUS_SHOWN), order
    assert order[0] == "skip"
    assert order.index("picture") < order.index("question") < order.index("send")


# Whether the focused element, or what stands for it, has an outline.
FOCUS_SHOWN = """(() => {
  const one = document.activeElement, shown = one.type === "radio" ? one.nextElementSibling : one;
  return one === document.body || getComputedStyle(shown).outlineStyle !== "none";
})()"""


def test_a_daemon_that_comes_back_is_found_again(tab: Tab) -> None:
    """The page says that it lost the daemon, connects by itself, and asks as before."""
    watching = Watching()
    with watching:
        watching.show(tab)
        connected(tab)
        tab.value(
            "(() => { window.states = []; const link = document.querySelector('#link');"
            "new MutationObserver(() => states.push(link.dataset.state)).observe(link, { attributes: true }); })()"
        )
    tab.wait("window.states.includes('waiting')")
    with watching:
        tab.wait("window.states.at(-1) === 'anew'")
        connected(tab)
        asked(tab, "and now?")
        assert tab.value("document.querySelector('.answer').dataset.status") != "failed"
        assert tab.said.violations == []


def test_a_token_is_asked_for_and_kept_in_the_tab(tab: Tab, tmp_path: Path) -> None:
    """A wrong one is told; the right one opens the websocket and the pictures, and lies in no other storage."""
    file = tmp_path / "token"
    file.write_text("s3cret?>~~\n")
    with Watching(f"server.token_file={file}") as watching:
        watching.show(tab)
        tab.wait("document.querySelector('#lock').open")
        assert tab.value("document.activeElement.id") == "token"
        tab.type("wrong")
        tab.press("Enter")
        tab.wait("document.querySelector('#lock-trouble').textContent.includes('not accepted')")
        tab.type("s3cret?>~~")
        tab.press("Enter")
        connected(tab)
        asked(tab, "what do you see?")
        tab.wait("document.querySelector('.thumb img').naturalWidth > 0")
        assert tab.value("Object.values(sessionStorage)") == ["s3cret?>~~"]
        assert tab.value("localStorage.length + document.cookie.length") == 0
        assert not any("s3cret" in url for url in tab.said.requests)
        assert tab.said.violations == []
        tab.value("location.reload()")
        connected(tab)
