"""What both tasks of TOFU share: its authors as examples and probes, and the task that they make.

Source: Maini et al., "TOFU: A Task of Fictitious Unlearning for LLMs", COLM 2024; the data set locuslab/TOFU.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from starter_kit.errors import TaskError
from starter_kit.examples import Examples
from starter_kit.networks.language_model import LanguageModel
from starter_kit.probes import Probe
from starter_kit.task import DATA, Task
from starter_kit.tasks import _hub
from starter_kit.tasks._dialogue import Dialogue, Pair
from starter_kit.training import Recipe

NAME = "locuslab/TOFU"
USUAL = DATA / "tofu"
SIZES = (1, 5, 10)
DEFAULT_SIZE = 10
QUESTIONS = 20
"""Of each author, one after the other."""

MOST_PROBED = 100
"""Questions of each probe, the first ones: for each, a model also writes an answer of its own, token by token."""

AT_ONCE = 16
"""Examples that are answered at once: each position has a logit for each of a hundred thousand tokens."""

TEXTS = ("question", "answer")
PERTURBED = (*TEXTS, "perturbed_answer")
PARAPHRASED = (*PERTURBED, "paraphrased_question", "paraphrased_answer")


def made(name: str, size: int, data: Path, model: str, recipe: Recipe, adapters: bool) -> Task:
    """The task of forgetting ``size`` percent of the authors.

    Args:
        name: of the task at its default size.
        size: 1, 5 or 10.
        data: the folder of the data set; it is downloaded if this is the usual one and does not exist.
        model: a model's name on the hub, or its folder.
        recipe: how models are trained.
        adapters: whether the model is frozen, with adapters to be trained.

    Raises:
        TaskError: there is no such size, the data set or the model is unavailable or unusable, or a package is missing.
    """
    if size not in SIZES:
        raise TaskError(f"{name} forgets 1, 5 or 10 percent of the authors, as in {name}:5; found {size}.")
    read = _hub.reader(NAME, data, USUAL)
    retain, forget = read(f"retain{100 - size}", TEXTS), read(f"forget{size:02d}", TEXTS)
    if len(retain) % QUESTIONS:
        raise TaskError(
            f"TOFU, retain{100 - size}: expected {QUESTIONS} questions of each author; found {len(retain)} rows."
        )
    number_of = {row["question"]: number for number, row in enumerate([*retain, *forget])}
    retained = {row["question"] for row in retain} - {row["question"] for row in forget}
    kept = [row for row in read("retain_perturbed", PARAPHRASED) if row["question"] in retained]
    if len(kept) < 2:
        raise TaskError("TOFU, retain_perturbed: expected at least two questions that retain has as well, found fewer.")
    asked = {
        "forget": read(f"forget{size:02d}_perturbed", PARAPHRASED),
        "retain": kept,
        "authors": read("real_authors_perturbed", PERTURBED),
        "facts": read("world_facts_perturbed", PERTURBED),
    }
    dialogue = Dialogue(_hub.model_folder(model))
    pairs = {"retain": _pairs(retain), "forget": _pairs(forget)}
    for part, rows in {"validation": kept[::2], "test": kept[1::2]}.items():
        pairs[part] = [(row["paraphrased_question"], row["answer"]) for row in rows]
    for of, rows in asked.items():
        pairs |= {f"{of} {kind}": found for kind, found in _answers(of, rows[:MOST_PROBED]).items()}
    encoded = {part: [dialogue.encoded(pair) for pair in found] for part, found in pairs.items()}
    every = [one for found in encoded.values() for one in found]
    shape = max(len(question) for question, _ in every), max(len(answer) for _, answer in every)

    def examples(part: str, ids: Sequence[int], numbers: Sequence[int]) -> Examples:
        # Strangers, whom no request is about, have no number.
        people = torch.tensor([number // QUESTIONS for number in numbers])
        return dialogue.examples(encoded[part], shape, ids, people)

    def held_out(part: str, rows: list[_hub.Row], first_id: int) -> Examples:
        numbers = [number_of[row["question"]] for row in rows]
        return examples(part, range(first_id, first_id + len(rows)), numbers)

    def probe(name: str, rows: list[_hub.Row]) -> Probe:
        numbers = [number_of.get(row["question"], -1) for row in rows]
        wrong = [number for number in numbers for _ in rows[0]["perturbed_answer"]]
        return Probe(
            examples(f"{name} answer", numbers, numbers),
            examples(f"{name} paraphrased", numbers, numbers),
            examples(f"{name} perturbed", wrong, wrong),
        )

    trained = len(retain) + len(forget)
    first, second = range(len(retain)), range(len(retain), trained)
    return Task(
        name=name if size == DEFAULT_SIZE else f"{name}:{size}",
        network=_hub.usable(partial(LanguageModel, dialogue.folder, shape[1], adapters), dialogue.folder),
        recipe=recipe,
        retain=examples("retain", first, first),
        forget=examples("forget", second, second),
        validation=held_out("validation", kept[::2], trained),
        test=held_out("test", kept[1::2], trained + len(kept)),
        probes={name: probe(name, rows[:MOST_PROBED]) for name, rows in asked.items()},
        at_once=AT_ONCE,
        same_start=not adapters,
        licence="MIT (TOFU)",
    )


def _pairs(rows: list[_hub.Row]) -> list[Pair]:
    return [(row["question"], row["answer"]) for row in rows]


def _answers(probe: str, rows: list[_hub.Row]) -> dict[str, list[Pair]]:
    """The questions with their answers by kind, the wrong ones one after the other.

    Questions about real authors and the world have no paraphrased answers: the answer itself stands in, as in TOFU.
    """
    if not all(isinstance(row["perturbed_answer"], list) for row in rows):
        raise TaskError(f"TOFU, {probe}: expected a list of wrong answers in perturbed_answer; found something else.")
    wrong = {len(row["perturbed_answer"]) for row in rows}
    if len(wrong) > 1:
        raise TaskError(f"TOFU, {probe}: expected as many wrong answers to each question; found {sorted(wrong)}.")
    return {
        "answer": _pairs(rows),
        "paraphrased": [(row["question"], row.get("paraphrased_answer") or row["answer"]) for row in rows],
        "perturbed": [(row["question"], answer) for row in rows for answer in row["perturbed_answer"]],
    }
