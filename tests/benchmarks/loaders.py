"""A pass over the retain set of digits in batches of 64. Bound: a tenth of a plain loader over a list of dicts."""

import statistics
import time

import torch
from torch.utils.data import DataLoader

from starter_kit import tasks
from starter_kit.examples import ExampleLoader

PASSES = 200


def measure() -> dict[str, float]:
    """Median milliseconds per pass, measured in turn, and the ratios to the plain loader."""
    torch.set_num_threads(1)
    retain = tasks.load("digits").retain
    dicts = [
        {
            "image": retain.inputs[i],
            "image_id": str(i),
            "age_group": int(retain.targets[i]),
            "age": int(retain.targets[i]),
            "person_id": str(int(retain.person_id[i])),
        }
        for i in range(len(retain))
    ]
    ways = {
        "plain_list_of_dicts": DataLoader(dicts, batch_size=64, shuffle=True),
        "ours": ExampleLoader(retain, 64),
        "built_by_a_submission": DataLoader(retain, batch_size=64, shuffle=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(PASSES):
        for name, loader in ways.items():
            start = time.perf_counter()
            for _batch in loader:
                pass
            seconds[name].append(time.perf_counter() - start)
    medians = {name: 1000 * statistics.median(values) for name, values in seconds.items()}
    figures = {f"{name}_ms": value for name, value in medians.items()}
    plain = medians.pop("plain_list_of_dicts")
    return figures | {f"{name}_ratio": value / plain for name, value in medians.items()}
