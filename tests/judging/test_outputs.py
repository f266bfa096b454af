"""Outputs: what they accept, and that their bytes give back what was written or are refused."""

import io
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from scoring import Identity, Outputs
from tests.judging.test_score import outputs

IDENTITY = Identity("faces:600", 3, "0123456789abcdef")


def some():
    return outputs(np.random.default_rng(0).normal(size=(8, 3)), identity=IDENTITY)


def assert_same(found, expected):
    assert found.identity == expected.identity
    for name, values in expected.arrays().items():
        np.testing.assert_array_equal(getattr(found, name), values)
        assert getattr(found, name).dtype == values.dtype


def archive(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_reading_gives_back_what_was_written():
    found = Outputs.from_bytes(some().to_bytes())
    assert_same(found, some())
    assert (type(found.identity.task), type(found.identity.seed)) == (str, int)


def test_unknown_times_survive_writing():
    unknown = replace(some(), seconds=np.full(8, np.nan))
    assert np.isnan(Outputs.from_bytes(unknown.to_bytes()).seconds).all()


def test_take_keeps_some_models_in_the_given_order():
    pool = outputs(np.arange(24.0).reshape(8, 3), identity=IDENTITY, retain_accuracy=np.arange(8) / 8)
    taken = pool.take(np.array([6, 1, 3]))
    assert len(taken) == 3
    assert taken.identity == IDENTITY
    np.testing.assert_array_equal(taken.forget_confidence[:, 0], [18, 3, 9])
    np.testing.assert_array_equal(taken.retain_accuracy, [6 / 8, 1 / 8, 3 / 8])
    np.testing.assert_array_equal(taken.seeds, [6, 1, 3])
    assert_same(pool.take(slice(8)), pool)


def test_rows_are_joined_in_order_and_cut_to_the_number_of_models():
    pool = some()
    rows = [pool.take(slice(start, start + 3)).arrays() | {"made_by": np.array("a machine")} for start in (0, 3, 5)]
    assert_same(Outputs.of_rows(IDENTITY, rows[:2], 5), pool.take(slice(5)))
    assert_same(Outputs.of_rows(IDENTITY, rows, 9), pool.take(np.array([0, 1, 2, 3, 4, 5, 5, 6, 7])))


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
        ({"seconds": np.full(8, np.inf)}, "seconds: 8 values are NaN or infinite"),
    ],
)
def test_impossible_outputs_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(some(), **changes)


def flipped(content):
    at = content.index(b"forget_confidence") + 300
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[: len(content) // 2], lambda _: b"", lambda _: b"not an archive", flipped],
    ids=["truncated", "empty", "text", "a flipped byte"],
)
def test_damaged_content_is_refused(damage):
    with pytest.raises(ValueError, match="expected outputs saved by `make score`"):
        Outputs.from_bytes(damage(some().to_bytes()))


def test_another_archive_is_refused():
    with pytest.raises(ValueError, match=r"expected saved outputs with forget_accuracy.*found something"):
        Outputs.from_bytes(archive(something=np.zeros(3)))


def test_outputs_without_an_identity_are_refused():
    with pytest.raises(ValueError, match=r"expected saved outputs with .*reference.*seed.*task"):
        Outputs.from_bytes(archive(schema_version=3, **some().arrays()))


def test_impossible_values_are_refused_when_read():
    arrays = some().arrays() | {"test_accuracy": np.full(8, 2.0)}
    with pytest.raises(ValueError, match="test_accuracy: expected shares from 0 to 1"):
        Outputs.from_bytes(archive(schema_version=3, task="faces:600", seed=3, reference="a", **arrays))


def test_another_schema_is_refused():
    with pytest.raises(ValueError, match="expected schema version 3, found 1; run `make score` again"):
        Outputs.from_bytes(archive(schema_version=1, **some().arrays()))


def test_a_compressed_archive_is_refused_before_it_fills_the_memory():
    """1 MB of it holds 1 GB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file, file.open("seeds.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<u8", "fortran_order": False, "shape": (2**27,)})
        for _ in range(2**7):
            member.write(bytes(2**23))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"not a complete, uncompressed \.npz file"):
            Outputs.from_bytes(buffer.getvalue())
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()


def test_an_array_that_claims_a_huge_shape_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file, file.open("seeds.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<u8", "fortran_order": False, "shape": (2**56,)})
    with pytest.raises(ValueError, match=r"not a complete, uncompressed \.npz file"):
        Outputs.from_bytes(buffer.getvalue())
