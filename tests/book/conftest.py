"""What the tests of the pages share."""

from collections.abc import Iterator

import pytest
from browser import executable, launched
from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a module."""
    if executable() is None:
        pytest.skip("no Chromium is installed")
    with launched() as browser:
        yield browser
