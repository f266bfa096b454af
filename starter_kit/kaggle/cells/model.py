"""One model: a copy of the original, the submission, the checkpoint."""

from starter_kit.examples import BATCH_SIZE, ExampleLoader, Examples
from starter_kit.kaggle.cells.places import CLASSES, SEED  # isort: split

# %% [markdown]
# ## One model
# The submission's file is executed again for each model, so no state is carried from one to the next. Kaggle judges
# `net` itself, whatever the function returns.


# %%
import hashlib
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import resnet18


def load_unlearning(file: Path, sha256: str) -> Callable:
    """The function `unlearning` of the submission's file, which must have this SHA-256."""
    source = file.read_bytes()
    found = hashlib.sha256(source).hexdigest()
    if found != sha256:
        raise RuntimeError(
            f"This notebook's submission is not the one that was bundled: expected SHA-256 {sha256}, found {found}. "
            "Bundle it again: make bundle SUBMISSION=..."
        )
    module = ModuleType("submission")
    module.__file__ = str(file)
    sys.modules["submission"] = module
    exec(compile(source, str(file), "exec", dont_inherit=True), module.__dict__)
    return module.unlearning


def unlearned(unlearning: Callable, original: Mapping[str, Tensor], sets: list[Examples], index: int) -> nn.Module:
    """A fresh copy of the original model, changed by the submission. `index` decides the seed."""
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    net = resnet18(weights=None, num_classes=CLASSES)
    net.load_state_dict(original)
    net.to(sets[0].inputs.device)
    seed = int(np.random.SeedSequence(SEED, spawn_key=(index,)).generate_state(1, np.uint64)[0])
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
    returned = unlearning(net, *(ExampleLoader(examples, BATCH_SIZE) for examples in sets))
    if isinstance(returned, nn.Module) and returned is not net:
        raise RuntimeError(
            "unlearning returned a model other than the `net` it was given, but the competition judges `net`. "
            "End with net.load_state_dict(other.state_dict())."
        )
    return net


def check_architecture(net: nn.Module, original: Mapping[str, Tensor]) -> None:
    """Stop if the model's state no longer has the names and shapes of the original."""
    found = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    expected = {name: tuple(value.shape) for name, value in original.items()}
    wrong = sorted(name for name in {**found, **expected} if found.get(name) != expected.get(name))
    if wrong:
        raise RuntimeError(
            f"The model is no longer a resnet18 with {CLASSES} classes. First difference: {wrong[0]}, expected shape "
            f"{expected.get(wrong[0], 'none')}, found {found.get(wrong[0], 'none')}."
        )


def checkpoint_of(net: nn.Module, original: Mapping[str, Tensor], half_precision: bool) -> dict[str, Tensor]:
    """The state to save: the original's names and shapes, finite, in half precision where the values fit."""
    check_architecture(net, original)
    state = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise RuntimeError(f"The model holds NaN or infinite weights in {name}.")
        # A running variance of raw pixels can exceed the range of half precision.
        if half_precision and value.is_floating_point() and torch.isfinite(value.half()).all():
            state[name] = value.half()
    return state
