"""What a task must fulfil, checked when it is loaded, with a sentence per shortfall."""

import pickle
from collections.abc import Callable
from math import isfinite

import torch
from torch import Tensor, nn

from starter_kit.answers import NOT_ASKED
from starter_kit.examples import Examples
from starter_kit.task import Task
from starter_kit.training import Recipe

COLUMNS = ("inputs", "targets", "image_id", "person_id")


def shortfalls(task: Task, name: str | None = None) -> list[str]:
    """Every way in which a task falls short of its contract, one sentence each; an empty list if it fulfils it.

    Args:
        task: the task, on the CPU.
        name: the name that its file and its size require; None if any will do.
    """
    found = _of_recipe(task.recipe)
    if name is not None and task.name != name:
        found.append(f"name: expected {name!r} (the file's name, then any size but the default), found {task.name!r}.")
    for set_name, examples in task.sets.items():
        found += _of_set(set_name, examples)
    # Sets can be compared only if each is well-formed, and a network can answer only if all else is right.
    found = found or [*_of_sets_together(task), *_of_text(task), *_of_augmentation(task)]
    found = found or _of_network(task.network, task.same_start)
    return found or _of_answers(task)


def _of_recipe(recipe: Recipe) -> list[str]:
    """What is wrong with the recipe by itself."""
    if not isinstance(recipe, Recipe):
        return [f"recipe: expected a Recipe of starter_kit.training, found {type(recipe).__name__}."]
    found = []
    if recipe.optimizer not in ("sgd", "adam", "adamw"):
        found.append(f"recipe: expected the optimizer 'sgd', 'adam' or 'adamw', found {recipe.optimizer!r}.")
    if not 0 <= recipe.warm_up < 1:
        found.append(f"recipe: expected warm_up as a share of all steps, in [0, 1), found {recipe.warm_up}.")
    if recipe.epochs < 1 or recipe.batch_size < 1:
        found.append(f"recipe: expected epochs and batch_size >= 1, found {recipe.epochs} and {recipe.batch_size}.")
    if not (recipe.learning_rate > 0 and recipe.weight_decay >= 0):
        rates = f"{recipe.learning_rate} and {recipe.weight_decay}"
        found.append(f"recipe: expected learning_rate > 0 and weight_decay >= 0, found {rates}.")
    if not all(weight >= 0 and isfinite(weight) for weight in recipe.class_weights or ()):
        found.append(f"recipe: expected finite class weights >= 0, found {recipe.class_weights}.")
    return found


def _of_set(name: str, examples: Examples) -> list[str]:
    """What is wrong with one set by itself."""
    if not isinstance(examples, Examples):
        return [f"{name}: expected Examples of starter_kit.examples, found {type(examples).__name__}."]
    columns = dict(zip(COLUMNS, examples.columns, strict=True))
    others = [f"{key} as {type(column).__name__}" for key, column in columns.items() if not isinstance(column, Tensor)]
    if others:
        return [f"{name}: expected a tensor in every column, found {', '.join(others)}."]
    if any(column.ndim == 0 or len(column) != len(examples.inputs) for column in columns.values()):
        shapes = ", ".join(f"{key} {list(column.shape)}" for key, column in columns.items())
        return [f"{name}: expected one row per example in every column, found {shapes}."]
    # Batch norm cannot be trained on one example.
    total, fewest = len(examples), 2 if name == "retain" else 1
    if total < fewest:
        return [f"{name}: expected at least {fewest} example{'s' * (fewest > 1)}, found {total}."]

    inputs, targets = examples.inputs, examples.targets
    found = []
    if inputs.dtype not in (torch.float32, torch.int64):
        found.append(f"{name}: expected inputs as float32, or int64 for tokens; found {_kind(inputs)}.")
    elif bad := int((~torch.isfinite(inputs.reshape(total, -1)).all(dim=1)).sum()):
        found.append(f"{name}: expected finite inputs, but {bad} of {total} examples contain NaN or infinity.")
    if targets.dtype != torch.int64 or targets.ndim > 2:
        found.append(f"{name}: expected targets as int64 of shape [n] or [n, L], found {_kind(targets)}.")
    else:
        asked = torch.ones_like(targets, dtype=torch.bool) if targets.ndim == 1 else targets != NOT_ASKED
        if (targets[asked] < 0).any():
            found.append(f"{name}: expected classes >= 0 as targets, found {int(targets[asked].min())}.")
        if targets.ndim == 2 and (idle := int((~asked.any(dim=1)).sum())):
            found.append(
                f"{name}: expected a target besides {NOT_ASKED} in each example, but {idle} of {total} lack one."
            )
    for key in ("image_id", "person_id"):
        if columns[key].dtype != torch.int64 or columns[key].ndim > 1:
            found.append(f"{name}: expected {key} as int64 of shape [n], found {_kind(columns[key])}.")
    return found


def _of_sets_together(task: Task) -> list[str]:
    """What is wrong between the sets."""
    found = []
    for key in ("inputs", "targets"):
        columns = {name: getattr(examples, key) for name, examples in task.sets.items()}
        if len({(column.dtype, column.shape[1:]) for column in columns.values()}) > 1:
            kinds = ", ".join(f"{name} {_kind(column)}" for name, column in columns.items())
            found.append(f"{key}: expected one dtype and one shape per example in all sets, found {kinds}.")
    ids = torch.cat([examples.image_id for examples in task.sets.values()])
    if repeated := len(ids) - len(ids.unique()):
        found.append(f"image_id: expected each number once in the four sets together, found {repeated} repeated.")
    people = task.forget.person_id.unique()
    if len(both := people[torch.isin(people, task.retain.person_id)]):
        found.append(
            "person_id: a request covers all training examples of a person, "
            f"but both retain and forget have examples of person {int(both[0])}."
        )
    return found


def _of_text(task: Task) -> list[str]:
    """What is wrong with what is asked in addition to the four sets, and with a request in words."""
    found = []
    positions = task.forget.targets.shape[1] if task.forget.targets.ndim == 2 else None
    if task.judged is not None and (positions is None or not 1 <= task.judged <= positions):
        found.append(f"judged: expected a number of target positions, 1 to {positions or 0}, found {task.judged}.")
    if task.at_once < 1:
        found.append(f"at_once: expected at least 1, found {task.at_once}.")
    if task.request and not task.described:
        found.append("described: a request in words needs the questions and answers that it describes; found none.")
    others = {f"probe {name}, {kind}": one for name, probe in task.probes.items() for kind, one in probe.kinds.items()}
    if task.relearning is not None:
        others["relearning"] = task.relearning
    for name, examples in others.items():
        expected, shape = _kind(task.forget.inputs[:1])[:-1], _kind(examples.inputs[:1])[:-1]
        targets = [_kind(one.targets[:1])[:-1] for one in (task.forget, examples)]
        if not len(examples) or (shape, targets[1]) != (expected, targets[0]):
            found.append(
                f"{name}: expected examples like those of forget, found {_kind(examples.inputs)} and "
                f"{_kind(examples.targets)}."
            )
    for name, probe in task.probes.items():
        if probe.answers.tokenizer is None:
            found.append(f"probe {name}: expected answers with a tokenizer, to show them in words; found none.")
        if probe.paraphrased is not None and len(probe.paraphrased) != len(probe.answers):
            rows = f"{len(probe.paraphrased)} and {len(probe.answers)}"
            found.append(f"probe {name}: expected as many paraphrased as true answers, found {rows}.")
        if probe.perturbed is not None and (not len(probe.answers) or len(probe.perturbed) % len(probe.answers)):
            rows = f"{len(probe.perturbed)} to {len(probe.answers)} questions"
            found.append(f"probe {name}: expected equally many wrong answers to each question, found {rows}.")
    return found


def _of_augmentation(task: Task) -> list[str]:
    """Whether the recipe's augmentation suits the inputs."""
    views, inputs = task.recipe.augmentation, task.retain.inputs
    if views is None or (inputs.ndim == 4 and inputs.shape[1] == len(views.fill)):
        return []
    return [
        "recipe: its augmentation expects pictures [n, C, H, W] and one fill value per channel; "
        f"found inputs {list(inputs.shape)} and {len(views.fill)} fill values."
    ]


def _of_network(network: Callable[[], nn.Module], same_start: bool) -> list[str]:
    """What is wrong with how networks are made, which may all begin the same if the task says so."""
    if isinstance(network, nn.Module):
        return ["network: expected a class or function that returns a new network each time, found a network."]
    try:
        pickle.dumps(network)
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        return [
            "network: expected a class or function at the top level of a file, or functools.partial of one, because "
            f"worker processes receive it by pickle: {error}."
        ]
    first, again = (_seeded(network, 0) for _ in range(2))
    if not isinstance(first, nn.Module):
        return [f"network: expected a torch.nn.Module, found {type(first).__name__}."]
    if not _have_equal_weights(first, again):
        return ["network: one seed gave different weights twice. Draw all weights from torch's global generator."]
    del again
    if not same_start and _have_equal_weights(first, _seeded(network, 1)):
        return ["network: two seeds gave the same weights. Draw them from torch's global generator and set no seed."]
    return []


def _of_answers(task: Task) -> list[str]:
    """What is wrong with what a network answers, asked for two examples of each set."""
    net = _seeded(task.network, 0).eval()
    highest = max(int(examples.targets.max()) for examples in task.sets.values())
    for name, examples in task.sets.items():
        inputs, targets = examples.take(_extremes(examples.inputs))
        try:
            with torch.inference_mode():
                logits = net(inputs)
        except (IndexError, RuntimeError, ValueError) as error:
            return [f"network: it fails on inputs {_kind(inputs)} of {name}: {error}"]
        shape = logits.shape if isinstance(logits, Tensor) and logits.is_floating_point() else ()
        if len(shape) < 2 or shape[:1] + shape[2:] != targets.shape:
            expected = ", ".join(["2", "C", *map(str, targets.shape[1:])])
            found = _kind(logits) if isinstance(logits, Tensor) else type(logits).__name__
            return [f"network: expected logits [{expected}] for two examples, the class axis second; found {found}."]
        if shape[1] <= max(1, highest):
            return [f"network: expected logits for at least {max(1, highest) + 1} classes, found {shape[1]}."]
        weights = task.recipe.class_weights
        if weights is not None and len(weights) != shape[1]:
            return [f"recipe: expected {shape[1]} class weights, one per class of the logits; found {len(weights)}."]
    return []


def _seeded(network: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network drawn from this seed; torch's generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network()


def _have_equal_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks of one architecture have the same parameters and buffers."""
    states = one.state_dict().values(), other.state_dict().values()
    return all(torch.equal(*pair) for pair in zip(*states, strict=True))


def _extremes(inputs: Tensor) -> Tensor:
    """[2] positions: the examples with the smallest and the largest input, such as the lowest and highest token."""
    by_example = inputs.reshape(len(inputs), -1)
    return torch.stack([by_example.amin(dim=1).argmin(), by_example.amax(dim=1).argmax()])


def _kind(column: Tensor) -> str:
    """A tensor's dtype and shape, as in "float32 [64, 5]"."""
    return f"{str(column.dtype).removeprefix('torch.')} {list(column.shape)}"
