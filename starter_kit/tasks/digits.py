"""The default task: handwritten digits, of which one writer's are to be forgotten.

scikit-learn's 1,797 digits: 8x8 pixels with raw values from 0 to 16. They are stored in the order in which they were
written, in 14 sessions of about 130 digits, and each session begins with the same dictation. As in the competition,
the images are split at random into training, validation and test sets, and a request covers one person: all training
images of one session. Session 12 was chosen because models trained on the other sessions know its handwriting least:
retrained without it, they classify 90% of its images correctly, so there is something to forget.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits

from starter_kit.examples import Examples
from starter_kit.networks.digit_net import DigitNet
from starter_kit.task import Task
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
        licence="CC BY 4.0 (UCI, optical recognition of handwritten digits)",
    )
