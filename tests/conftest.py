"""What the tests share: the built book."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from rbcore.book import cli as commands
from rbcore.book.execute import ROOT
from rbcore.book.kernels import locked

settings.register_profile("patient", deadline=None)  # a machine that is busy fails no test
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("patient")  # --hypothesis-profile=quick in `make test-quick`

# A shell starts what it runs in the background with Ctrl-C ignored, and what tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def built_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages, with every notebook executed from nothing, once for all processes of a session."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with locked(shared):
        ended = shared / "book"
        if not ended.exists():
            ended.write_text(str(commands.book(ROOT, fresh=True)))
    assert ended.read_text() == "0", "the book does not agree with its text: see the report above"
    return ROOT / "book" / "_build" / "html"


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Small networks on one thread, which is faster, and then as many as before."""
    import torch  # only here: most tests do without it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
