"""The weights that checkpoints must fit, and good checkpoints."""

import pytest

from tests.conftest import make_pools
from tests.untrusted.checkpoint_files import name, saved, states


@pytest.fixture(scope="module")
def original(store):
    return make_pools(store).original.weights


@pytest.fixture(scope="module")
def files(original):
    """The content of good checkpoints by name."""
    return {name(index): saved(state) for index, state in enumerate(states(original))}
