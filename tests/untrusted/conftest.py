"""Good checkpoints with the weights that they must fit, and submissions that a test writes and runs."""

import textwrap

import pytest

from scoring.running.pools import Pools
from scoring.untrusted.submission import read
from starter_kit.errors import KitError
from tests.conftest import make_pools
from tests.untrusted.checkpoint_files import name, saved, states

HONEST = "for weight in net.parameters(): weight.data += 0.01 * torch.randn_like(weight)"


@pytest.fixture(scope="module")
def original(store):
    return make_pools(store).original.weights


@pytest.fixture(scope="module")
def files(original):
    """The content of good checkpoints by name."""
    return {name(index): saved(state) for index, state in enumerate(states(original))}


@pytest.fixture
def pools(store):
    return make_pools(store, "processes", 1)


@pytest.fixture
def submission(tmp_path):
    """A submission with this body, and these lines above it."""

    def write(body: str, above: str = ""):
        path = tmp_path / "mine.py"
        function = "def unlearning(net, retain, forget, val):\n" + textwrap.indent(textwrap.dedent(body), "    ")
        path.write_text(
            f"import ctypes, os, signal, subprocess, sys, time, torch\n{textwrap.dedent(above)}\n{function}\n"
        )
        return read(path)

    return write


def unlearned(pools: Pools, one, models: int = 1):
    return pools.unlearned(one, models).outputs


def error_of(pools: Pools, one) -> KitError:
    with pytest.raises(KitError) as caught:
        unlearned(pools, one)
    return caught.value
