"""Files are written whole or not at all."""

import os

import pytest

from rbcore.files import replace_file, replace_files


def test_texts_and_bytes_replace_what_was_there(tmp_path):
    (tmp_path / "a").write_text("before")
    replace_files({tmp_path / "a": "näher\n", str(tmp_path / "b"): b"\x00\xff"})
    assert (tmp_path / "a").read_bytes() == "näher\n".encode() and (tmp_path / "b").read_bytes() == b"\x00\xff"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_what_was_there_and_nothing_else(step, tmp_path, monkeypatch):
    (tmp_path / "a").write_text("before")

    def fail(*arguments):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="no space"):
        replace_file(tmp_path / "a", "after")
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "before"


def test_none_is_replaced_before_all_are_written(tmp_path):
    (tmp_path / "a").write_text("before")
    with pytest.raises(UnicodeEncodeError):
        replace_files({tmp_path / "a": "after", tmp_path / "b": "\ud800"})
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "before"
