"""A browser for the tests of the dashboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.browser import Browser, Tab, browser


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests: each has a page and a storage of its own."""
    with browser() as running:
        yield running


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Tab]:
    """A page on a desk's screen."""
    with chromium.tab() as one:
        one.size(1280, 860)
        yield one
