"""TOFU: a language model learns 200 invented authors, of whom a tenth is to be forgotten.

The model is downloaded, or named with ``MODEL=``, and stays frozen; each model of a pool is a set of low-rank adapters
on it. ``tofu:1`` and ``tofu:5`` forget 1 and 5 percent of the authors. TOFU holds nothing out: paraphrased
questions about retained authors, with the answers that were learned, are validation and test sets, halves of the
paraphrased retain set. So they measure retained knowledge, not how well unseen facts are guessed.

Probes ask at most a hundred questions each: of the forgotten and the retained authors, real authors, and the world.

Recipe: TOFU's for adapters (`config/finetune_lora.yaml`): AdamW, rate 1e-4, no weight decay, 10 epochs, batches of
16. There is no dropout, and the rate warms up and then follows a cosine.
"""

from pathlib import Path

from starter_kit.task import Task
from starter_kit.tasks._hub import MODEL
from starter_kit.tasks._tofu import DEFAULT_SIZE, USUAL, made
from starter_kit.training import Recipe

RECIPE = Recipe("adamw", epochs=10, batch_size=16, learning_rate=1e-4, weight_decay=0.0, warm_up=0.1)


def task(size: int = DEFAULT_SIZE, data: Path = USUAL, model: str = MODEL) -> Task:
    """The task of forgetting ``size`` percent of the authors: 1, 5 or 10.

    Raises:
        TaskError: there is no such size, the data set or the model is unavailable or unusable, or a package is missing.
    """
    return made("tofu", size, data, model, RECIPE, adapters=True)
