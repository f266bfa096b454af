"""TOFU with all weights of the language model trained. It takes far more memory and disk space than `tofu.py`.

All models start from the same downloaded weights; they differ by the order of their batches alone.

Recipe: TOFU's full fine-tuning: AdamW, rate 1e-5, weight decay 0.01, 5 epochs, batches of 32, the first epoch to warm
up.
"""

from pathlib import Path

from starter_kit.task import Task
from starter_kit.tasks._hub import MODEL
from starter_kit.tasks._tofu import DEFAULT_SIZE, USUAL, made
from starter_kit.training import Recipe

RECIPE = Recipe("adamw", epochs=5, batch_size=32, learning_rate=1e-5, weight_decay=0.01, warm_up=0.2)


def task(size: int = DEFAULT_SIZE, data: Path = USUAL, model: str = MODEL) -> Task:
    """The task of forgetting ``size`` percent of the authors: 1, 5 or 10.

    Raises:
        TaskError: there is no such size, the data set or the model is unavailable or unusable, or a package is missing.
    """
    return made("tofu-full", size, data, model, RECIPE, adapters=False)
