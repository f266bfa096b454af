"""A store with the task's own pool, and a submission that was scored with it."""

import pytest

from scoring import run
from tests.conftest import quiet_pools, rough_ceilings
from tests.learning.sources import MODELS, TWINS, digits_briefly


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A store with the task's own pool."""
    folder = tmp_path_factory.mktemp("own")
    quiet_pools(folder, digits_briefly()).retrained(MODELS)
    return folder


@pytest.fixture(autouse=True)
def rough_ceiling(few_splits):
    """No test here is about the ceiling."""


@pytest.fixture
def pools(shared):
    return quiet_pools(shared, digits_briefly())


@pytest.fixture(scope="session")
def twins(shared):
    path = shared / "mine.py"
    path.write_text(TWINS)
    with rough_ceilings():
        return run.run(path, quiet_pools(shared, digits_briefly()), MODELS)
