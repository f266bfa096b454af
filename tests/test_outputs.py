from dataclasses import replace

import numpy as np
import pytest

from scoring import Outputs
from tests.test_score import outputs


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "outputs.npz"
    path.write_bytes(outputs(np.random.default_rng(0).normal(size=(8, 3))).to_bytes())
    return path


def test_what_is_loaded_is_what_was_saved(saved):
    for name, values in outputs(np.random.default_rng(0).normal(size=(8, 3))).arrays().items():
        loaded = getattr(Outputs.load(saved), name)
        np.testing.assert_array_equal(loaded, values)
        assert loaded.dtype == values.dtype


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"test_accuracy": np.ones(7)},
            r"test_accuracy: expected 1 axes, the first of 8 models; found shape \(7,\)",
        ),
        ({"test_confidence": np.zeros(8)}, r"test_confidence: expected 2 axes"),
        ({"forget_confidence": np.full((8, 3), np.nan)}, "forget_confidence: 24 values are NaN or infinite"),
        ({"retain_accuracy": np.full(8, 99.0)}, "retain_accuracy: expected shares from 0 to 1, found 99"),
    ],
)
def test_outputs_that_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(outputs(np.zeros((8, 3))), **changes)


def damage(path, how):
    content = path.read_bytes()
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("not an archive")
    elif how == "a flipped byte":
        at = content.index(b"forget_confidence") + 300
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


@pytest.mark.parametrize("how", ["truncated", "empty", "text", "a flipped byte"])
def test_a_damaged_file_is_refused(saved, how):
    damage(saved, how)
    with pytest.raises(ValueError, match=r"outputs.npz: expected saved outputs as `make score` writes them"):
        Outputs.load(saved)


def test_another_archive_is_refused(saved):
    np.savez(saved, something=np.zeros(3))
    with pytest.raises(ValueError, match=r"expected saved outputs with forget_accuracy.*found something"):
        Outputs.load(saved)


def test_another_schema_is_refused(saved):
    np.savez(saved, schema_version=2, **outputs(np.zeros((8, 3))).arrays())
    with pytest.raises(ValueError, match="expected schema version 1, found 2"):
        Outputs.load(saved)
