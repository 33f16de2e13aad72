"""Stages are kept as they finish, used again only where nothing changed, and never half-written."""

from __future__ import annotations

import numpy as np
import pytest

from rbcore.audit.stages import Stages


def made(progress) -> dict:
    progress(1, 2)
    return {"points": np.arange(6.0).reshape(2, 3), "words": ["a", "b"], "inner": {"x": 0.5}}


def failing(progress) -> dict:
    raise AssertionError("ran although it was kept")


def test_a_kept_stage_comes_back_with_arrays_and_plain_values(tmp_path):
    first = Stages(tmp_path, {"seed": 1}, 1, quiet=True)
    before = first.run("near copies", made)
    again = Stages(tmp_path, {"seed": 1}, 1, quiet=True)
    after = again.run("near copies", failing)
    assert after.keys() == before.keys()
    assert np.array_equal(after["points"], before["points"])
    assert after["words"] == ["a", "b"] and after["inner"] == {"x": 0.5}
    assert again.resumed == ["near copies"] and again.seconds.keys() == first.seconds.keys()


def test_another_key_begins_anew(tmp_path):
    Stages(tmp_path, {"seed": 1}, 1, quiet=True).run("a", made)
    with pytest.raises(AssertionError, match="ran although"):
        Stages(tmp_path, {"seed": 2}, 1, quiet=True).run("a", failing)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half", b"not a zip at all"])
def test_a_damaged_file_is_no_result(tmp_path, damage):
    stages = Stages(tmp_path, 1, 1, quiet=True)
    stages.run("a", made)
    (tmp_path / "a.npz").write_bytes(damage)
    again = Stages(tmp_path, 1, 1, quiet=True)
    assert again.run("a", made)["words"] == ["a", "b"] and again.resumed == []


def test_a_pickled_file_is_never_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("the file was unpickled",))

    np.savez(tmp_path / "a.npz", about=np.array([Bomb()], dtype=object))
    assert Stages(tmp_path, 1, 1, quiet=True).run("a", made)["words"] == ["a", "b"]


def test_a_stage_that_fails_leaves_nothing_behind(tmp_path):
    stages = Stages(tmp_path, 1, 2, quiet=True)
    with pytest.raises(TypeError):  # JSON cannot hold it: fails while it is kept
        stages.run("a", lambda progress: {"thing": object()})
    with pytest.raises(KeyboardInterrupt):
        stages.run("b", lambda progress: (_ for _ in ()).throw(KeyboardInterrupt))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_kept_without_a_folder():
    stages = Stages(None, 1, 1, quiet=True)
    assert stages.run("a", made)["words"] == ["a", "b"] and stages.seconds["a"] >= 0
