"""Files are written whole or not at all."""

import os
import subprocess
import sys

import pytest

from rbcore.files import remove_abandoned, replace_file, replace_files


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


def test_what_a_killed_process_left_unfinished_goes_with_the_next_call_and_nothing_else_does(tmp_path):
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    dead, alive = int(done.stdout), os.getppid()
    kept = {".a.notes.partial", f".a.{alive}.partial", f".ab.{dead}.partial", "a"}
    for name in (*kept, f".a.{dead}.partial"):
        (tmp_path / name).touch()
    replace_file(tmp_path / "a", "after")
    assert set(os.listdir(tmp_path)) == kept
    (tmp_path / f".b.{dead}.partial" / "inside").mkdir(parents=True)
    remove_abandoned(tmp_path / "b")
    assert set(os.listdir(tmp_path)) == kept
