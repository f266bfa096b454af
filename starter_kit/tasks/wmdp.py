"""WMDP: what a downloaded language model knows about attacks on computers, asked for by questions with four choices.

What is to be forgotten was learned in pre-training, which nobody can repeat without it. So there are
no retrained models, epsilon is undefined, and no score is computed: `make score` reports accuracies before and after
unlearning, next to the 0.25 of guessing, and how fast the knowledge comes back. The original is the model as it is.

The forget set is WMDP's cybersecurity part; retain, validation and test sets are the validation and dev splits of MMLU
and every 14th question of its test split, a thousand. Questions are written as lm-eval writes them; those longer than
1,024 tokens, or than the model reads, are left out. Answers are the four letters.

Source: Li et al., "The WMDP Benchmark", ICML 2024 (cais/wmdp); Hendrycks et al., "Measuring Massive Multitask Language
Understanding", ICLR 2021 (cais/mmlu).
"""

from functools import partial
from pathlib import Path

import torch

from starter_kit.errors import TaskError, quoted
from starter_kit.examples import Examples
from starter_kit.networks.multiple_choice import MultipleChoice
from starter_kit.task import DATA, Task
from starter_kit.tasks import _hub
from starter_kit.tasks._dialogue import NOTHING
from starter_kit.training import Recipe

LETTERS = "ABCD"
COLUMNS = ("question", "choices", "answer")
SUBJECT = "cybersecurity"
LONGEST = 1024
TEST_EVERY = 14
RELEARNED = 10
AT_ONCE = 16

# Only relearning uses it, at a fraction of its rate.
RECIPE = Recipe("adamw", epochs=1, batch_size=16, learning_rate=1e-3, weight_decay=0.0)

WHY = "what is to be forgotten comes from the data that the model was first trained on, and nobody can train it again"


def task(data: Path = DATA / "wmdp", model: str = _hub.MODEL) -> Task:
    """The task of forgetting WMDP's cybersecurity part.

    Args:
        data: a folder in the layout of cais/wmdp, beside which ``mmlu`` may be one in that of cais/mmlu. Each is
            downloaded if it does not exist.
        model: a model's name on the hub, or its folder.

    Raises:
        TaskError: a data set or the model is unavailable or unusable, or a package is missing.
    """
    beside = data.with_name("mmlu")
    hazardous = _hub.reader("cais/wmdp", data, DATA / "wmdp")("wmdp-cyber", COLUMNS, "test")
    general = partial(_hub.reader("cais/mmlu", beside, beside), "all", (*COLUMNS, "subject"))
    rows = {
        "retain": general("validation"),
        "forget": [{**row, "subject": SUBJECT} for row in hazardous],
        "validation": general("dev"),
        "test": general("test")[::TEST_EVERY],
    }
    folder = _hub.model_folder(model)
    tokenizer, longest = _hub.tokenizer_of(folder), min(LONGEST, _hub.context_of(folder))
    encoded: dict[str, list[tuple[list[int], int]]] = {}
    for name, asked in rows.items():
        pairs = [(tokenizer(prompt_of(row)).input_ids, row["answer"]) for row in asked]
        encoded[name] = [pair for pair in pairs if len(pair[0]) <= longest]
        fewest = RELEARNED + 1 if name == "forget" else 2
        if len(encoded[name]) < fewest:
            raise TaskError(
                f"wmdp, {name}: expected at least {fewest} questions of at most {longest} tokens; found "
                f"{len(encoded[name])} among {len(pairs)}."
            )
    width = max(len(question) for pairs in encoded.values() for question, _ in pairs)
    sets: dict[str, Examples] = {}
    for first, (name, pairs) in enumerate(encoded.items()):
        inputs = torch.tensor([[NOTHING] * (width - len(question)) + question for question, _ in pairs])
        # Each question is a person of its own.
        ids = torch.arange(len(pairs)) * len(encoded) + first
        answers = torch.tensor([answer for _, answer in pairs])
        sets[name] = Examples(inputs, answers, ids, ids, tokenizer=tokenizer, padding=NOTHING)
    forget = sets["forget"]
    shown = torch.linspace(0, len(forget) - 1, RELEARNED).long()
    letters = letters_of(tokenizer, prompt_of(rows["forget"][0]))
    return Task(
        name="wmdp",
        network=_hub.usable(partial(MultipleChoice, folder, letters), folder),
        recipe=RECIPE,
        retain=sets["retain"],
        forget=forget,
        validation=sets["validation"],
        test=sets["test"],
        relearning=forget.with_columns(column[shown] for column in forget.columns),
        at_once=AT_ONCE,
        why_no_retrained=WHY,
        licence="MIT (WMDP)",
    )


def prompt_of(row: _hub.Row) -> str:
    """A question as lm-eval asks it: preceded by its subject and followed by lettered choices.

    Raises:
        TaskError: it does not have four choices, or its answer is not one of them.
    """
    choices, answer = row["choices"], row["answer"]
    if len(choices) != len(LETTERS) or answer not in range(len(LETTERS)):
        raise TaskError(
            f"Expected four choices, and an answer from 0 to 3; found {len(choices)} choices and the answer "
            f"{quoted(answer)} in the question '{quoted(row['question'])}'."
        )
    subject = row["subject"].replace("_", " ")
    listed = "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=True))
    about = f"The following are multiple choice questions (with answers) about {subject}."
    return f"{about}\n\n{row['question'].strip()}\n{listed}\nAnswer:"


def letters_of(tokenizer: object, prompt: str) -> tuple[int, ...]:
    """The token ids of " A", " B", " C" and " D" after a prompt.

    Raises:
        TaskError: one of them is not a single token.
    """

    def ids(text: str) -> list[int]:
        return tokenizer(text).input_ids  # type: ignore[operator]

    asked, whole = ids(prompt), [ids(f"{prompt} {letter}") for letter in LETTERS]
    if any(one[:-1] != asked for one in whole):
        raise TaskError(
            "The model's tokenizer writes a letter after 'Answer:' as several tokens, or joins it with them. Expected "
            "one token for each of ' A', ' B', ' C' and ' D'. Name another model with MODEL=."
        )
    return tuple(one[-1] for one in whole)
