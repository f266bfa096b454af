"""The file of a bank, which may be a stranger's."""

import hashlib
import io
import json
import zipfile
from dataclasses import fields

import numpy as np
import pytest

from scoring.banks.files import NAMES, card_in, load, packed
from scoring.banks.packing import shuffled, unshuffled
from scoring.judging.score import Score
from starter_kit import tasks
from starter_kit.errors import InputError


@pytest.fixture(scope="module")
def task():
    return tasks.load("digits")


@pytest.fixture
def changed(bank_file, tmp_path):
    """The bank with some files replaced, added, or left out (None); their sizes and digests are put into the card."""

    def write(contents, card=None, honest=True, compression=zipfile.ZIP_LZMA):
        with zipfile.ZipFile(bank_file) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        described = json.loads(files["bank.json"]) | (card or {})
        files |= contents
        for name in contents:
            if honest and name in described["files"] and files[name] is not None:
                content = files[name]
                described["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                files[name] = shuffled(content) if name.endswith(".npz") else content
        files["bank.json"] = contents.get("bank.json", json.dumps(described).encode())
        path = tmp_path / "changed.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in files.items():
                if content is not None:
                    archive.writestr(name, content)
        return path

    return write


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_what_is_written_is_read_again_to_the_bit(bank, bank_file, task):
    found = load(bank_file, task)
    assert found.card.model_copy(update={"files": {}}) == bank.card
    assert found.original.sha256 == bank.original.sha256
    for name, values in bank.retrained.arrays().items():
        assert np.array_equal(getattr(found.retrained, name), values, equal_nan=True)
    assert [one.value for one in found.ceiling.scores] == [one.value for one in bank.ceiling.scores]
    assert np.array_equal(found.ceiling.strongest_epsilon, bank.ceiling.strongest_epsilon)
    assert packed(bank, "Words.") == bank_file.read_bytes(), "equal banks are equal files"


def test_confidences_that_enter_the_score_are_not_rounded(bank):
    assert (bank.retrained.forget_confidence != bank.retrained.forget_confidence.astype(np.float32)).any()
    assert (bank.retrained.test_confidence == bank.retrained.test_confidence.astype(np.float32)).all()


@pytest.mark.parametrize("length", range(20))
def test_bytes_of_any_length_come_back(length):
    content = bytes(range(length))
    assert unshuffled(shuffled(content), length) == content
    with pytest.raises(ValueError, match="expected"):
        unshuffled(shuffled(content) + bytes(8), length)


def test_a_changed_bank_that_is_honest_about_it_is_read(changed, task):
    assert load(changed({}), task).card == card_in(changed({}))


REFUSED = {
    "nothing": (b"", "is not a bank"),
    "no zip": (b"something else", "is not a bank"),
    "half": (lambda content: content[: len(content) // 2], "is not a bank"),
    "more": (lambda content: content + b"x", "is not a bank"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_bank_is_refused(bank_file, tmp_path, task, content, message):
    path = tmp_path / "bank.zip"
    path.write_bytes(content(bank_file.read_bytes()) if callable(content) else content)
    for read in (card_in, lambda one: load(one, task)):
        with pytest.raises(InputError, match=message):
            read(path)


def test_a_bank_that_is_not_there_is_named(tmp_path, task):
    with pytest.raises(InputError, match=r"Cannot read the bank .*none.zip: No such file"):
        load(tmp_path / "none.zip", task)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(changed, task, name):
    with pytest.raises(InputError, match=r"expected bank\.json, README\.md"):
        load(changed({name: None}), task)


def test_another_file_is_refused(changed, task):
    with pytest.raises(InputError, match="at most 6 are accepted"):
        load(changed({"more.txt": b""}), task)


@pytest.mark.parametrize("name", ["original.safetensors", "original.npz", "retrained.npz", "ceiling.npz"])
def test_a_file_that_differs_from_its_digest_is_refused(changed, bank_file, task, name):
    with zipfile.ZipFile(bank_file) as archive:
        content = bytearray(archive.read(name))
    content[len(content) // 2] ^= 1
    with pytest.raises(InputError, match=f"{name} is damaged"):
        load(changed({name: bytes(content)}, honest=False), task)


def test_a_small_file_that_inflates_to_much_is_not_inflated(changed, task):
    size = 300_000_000
    record = {"size": size, "sha256": "0" * 64}
    with zipfile.ZipFile(changed({})) as archive:
        files = json.loads(archive.read("bank.json"))["files"]
    path = changed({"retrained.npz": bytes(size)}, {"files": files | {"retrained.npz": record}}, honest=False)
    with pytest.raises(InputError, match="declares 300000000 bytes, more than allowed"):
        load(path, task)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"models": "many"}, "models"),
        ({"models": 31}, "31 retrained models"),
        ({"seed": 5}, "another task, seed or pool"),
        ({"reference": "other"}, "another task, seed or pool"),
        ({"strange": 1}, "strange"),
        ({"files": {}}, "lists the wrong files"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(changed, task, card, message):
    with pytest.raises(InputError, match=message):
        load(changed({}, card), task)


@pytest.mark.parametrize("content", [b"{}", b"[" * 100_000, b"\xff", b"null"])
def test_a_card_that_is_none_is_refused(changed, content):
    with pytest.raises(InputError, match="its card does not follow the schema"):
        card_in(changed({"bank.json": content}))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("original.safetensors", b"x" * 100, "header"),
        ("retrained.npz", b"PK", "expected outputs"),
        ("ceiling.npz", npz(epsilon=np.zeros((30, 95))), "does not hold the scores"),
        ("ceiling.npz", npz(epsilon=np.array([{}], dtype=object)), "cannot be read"),
    ],
)
def test_arrays_and_weights_that_do_not_fit_are_refused(changed, task, name, content, message):
    with pytest.raises(InputError, match=message):
        load(changed({name: content}), task)


def test_weights_of_another_network_are_refused(bank_file):
    other = tasks.load("hazards")
    with pytest.raises(InputError, match=r"expected the .* weights of the original model"):
        load(bank_file, other)


def test_confidences_that_are_not_finite_are_refused(changed, bank, task):
    arrays = bank.retrained.arrays()
    arrays["forget_confidence"] = arrays["forget_confidence"].copy()
    arrays["forget_confidence"][0, 0] = np.nan
    content = npz(schema_version=3, task="digits", seed=0, reference=bank.card.reference, **arrays)
    with pytest.raises(InputError, match="NaN or infinite"):
        load(changed({"retrained.npz": content}), task)


WITHIN = {
    "complex": ("retain_accuracy", lambda values: values.astype(complex), "expected real numbers, found complex128"),
    "objects": ("seeds", lambda values: values.astype("V8"), "expected integers"),
    "fewer examples": ("forget_confidence", lambda values: values[:, :3], r"expected answers to \(95, 180\)"),
    "huge": ("forget_confidence", lambda values: values + 1e6, "holds values beyond 10000"),
    "negative": ("seconds", lambda values: values - 1e3, "expected no negative seconds"),
    "years": ("seconds", lambda values: values + 1e300, "holds values beyond 1e.07"),
    "tiny": ("retain_accuracy", lambda values: values * 1e-300, "shares that no number of examples gives"),
}


@pytest.mark.parametrize(("array", "spoil", "message"), WITHIN.values(), ids=WITHIN)
def test_answers_that_no_models_give_are_refused(changed, bank, task, array, spoil, message):
    arrays = bank.retrained.arrays()
    arrays[array] = spoil(arrays[array])
    content = npz(schema_version=3, task="digits", seed=0, reference=bank.card.reference, **arrays)
    with pytest.raises(InputError, match=message):
        load(changed({"retrained.npz": content}), task)


@pytest.mark.parametrize("header", [b"{{{{", b"'''", b"((((", b"{[]:1}", b"{'descr': '<f8, (3,4'}"])
def test_an_array_whose_header_is_no_python_is_refused(changed, task, header):
    written = npz(schema_version=np.zeros(3))
    where = written.index(b"{'descr'")
    content = (
        written[:where] + header.ljust(written.index(b"\n", where) - where) + written[written.index(b"\n", where) :]
    )
    with pytest.raises(InputError, match="expected outputs"):
        load(changed({"retrained.npz": content}), task)


def test_what_is_no_array_is_refused(changed, task):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("epsilon", b"no array")
    with pytest.raises(InputError, match="expected saved outputs"):
        load(changed({"retrained.npz": buffer.getvalue()}), task)
    with pytest.raises(InputError, match="does not hold the scores"):
        load(changed({"ceiling.npz": buffer.getvalue()}), task)


@pytest.mark.parametrize(("name", "value"), [("forgetting_quality", 2.0), ("test_ratio", -1.0), ("epsilon", 99.0)])
def test_a_ceiling_that_no_models_have_is_refused(changed, bank, task, name, value):
    scores = {one.name: np.array([getattr(score, one.name) for score in bank.ceiling.scores]) for one in fields(Score)}
    scores[name] = np.full_like(scores[name], value)
    with pytest.raises(InputError, match="a score that no models have"):
        load(changed({"ceiling.npz": npz(**scores)}), task)
