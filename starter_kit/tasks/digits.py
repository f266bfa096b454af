"""The default task: handwritten digits, one writer's to be forgotten.

scikit-learn's 1,797 digits, 8x8 pixels with raw values from 0 to 16. They come in the order in which they were
written, in 14 sessions of about 130, each beginning with the same dictation. As in the competition the images are
split at random into training, validation and test sets, and the forget request is a person's: all training
images of one session. The writer of session 12 was chosen because the others predict that hand worst (models
retrained without it are right on 90 % of its images), so that there is something to forget.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits

from starter_kit.batches import Examples
from starter_kit.models import DigitNet
from starter_kit.tasks import Task
from starter_kit.training import Recipe

SESSION_STARTS = (0, 130, 256, 386, 516, 646, 776, 905, 1029, 1157, 1287, 1415, 1545, 1667)
FORGET_SESSION = 12
SPLIT_SEED = 0
RECIPE = Recipe("sgd", epochs=10, batch_size=64, learning_rate=0.1, weight_decay=5e-4)


def task() -> Task:
    """The digits, split 80/10/10 with a fixed seed."""
    digits = load_digits()
    total = len(digits.target)
    session = np.searchsorted(SESSION_STARTS, np.arange(total), side="right") - 1
    order = np.random.default_rng(SPLIT_SEED).permutation(total)
    train, validation, test = np.split(order, [total * 8 // 10, total * 9 // 10])
    forget = session[train] == FORGET_SESSION

    def examples(index: np.ndarray) -> Examples:
        return Examples(
            inputs=torch.tensor(digits.images[index], dtype=torch.float32).unsqueeze(1),
            targets=torch.tensor(digits.target[index]),
            image_id=torch.tensor(index),
            person_id=torch.tensor(session[index]),
        )

    return Task(
        name="digits",
        network=DigitNet,
        recipe=RECIPE,
        retain=examples(train[~forget]),
        forget=examples(train[forget]),
        validation=examples(validation),
        test=examples(test),
    )
