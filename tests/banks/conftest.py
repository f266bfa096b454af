"""A real bank of a few models."""

import pytest

from scoring.bank import bank_of
from scoring.banks.files import packed
from tests.conftest import make_pools

MODELS = 32


@pytest.fixture(scope="session")
def bank_store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def bank(bank_store):
    """Of 32 models on digits."""
    return bank_of(make_pools(bank_store, "processes", 2), MODELS)


@pytest.fixture(scope="session")
def bank_file(bank, tmp_path_factory):
    path = tmp_path_factory.mktemp("bank") / "bank.zip"
    path.write_bytes(packed(bank, "Words."))
    return path
