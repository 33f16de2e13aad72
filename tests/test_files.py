"""A file is replaced whole or not at all."""

import os
from pathlib import Path

import pytest

from rbcore.files import replace_file


def test_text_and_bytes_are_written(tmp_path: Path) -> None:
    for content in ("Größe\n", b"\x00\xff"):
        replace_file(tmp_path / "a.b", content)
        assert (tmp_path / "a.b").read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert [path.name for path in tmp_path.iterdir()] == ["a.b"]


def test_what_ends_before_the_rename_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_file(tmp_path / "a", "old")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "a", "new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}
