"""TOFU in small, and a tiny language model to learn it: folders in the exact layout of the hub."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from starter_kit import tasks
from starter_kit.task import Task
from starter_kit.training import seed_everything

AUTHORS, QUESTIONS = 7, 20
FORGOTTEN = {1: 1, 5: 1, 10: 2}
"""Authors by size."""

TEMPLATE = (
    "{{ bos_token }}<|date|>{{ date_string if date_string is defined else strftime_now('%d %b %Y') }}"
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""Like Llama's: it tells the date, and every message ends with the token that ends an answer."""

SPECIAL = ["<|begin|>", "<|end|>", "<|date|>", "<|user|>", "<|assistant|>"]

GENRES = ("crime", "poetry", "war", "love", "travel", "myths")


def write_tofu(folder: Path) -> Path:
    """Write all configurations and the card that lists them."""
    full = [_row(author, number) for author in range(AUTHORS) for number in range(QUESTIONS)]
    files = {"full": full}
    for size, authors in FORGOTTEN.items():
        start = (AUTHORS - authors) * QUESTIONS
        files[f"forget{size:02d}"], files[f"retain{100 - size}"] = full[start:], full[:start]
        files[f"forget{size:02d}_perturbed"] = [_perturbed(row, 5) for row in full[start:]]
    files["retain_perturbed"] = [_perturbed(row, 5) for row in full[:12]]
    for name, topic in {"real_authors": "author", "world_facts": "river"}.items():
        rows = [{"question": f"Which {topic} is number {one}?", "answer": f"{topic} {one}"} for one in range(6)]
        files[name] = rows
        files[f"{name}_perturbed"] = [
            {**row, "perturbed_answer": [f"{topic} {other}" for other in "abc"]} for row in rows
        ]
    folder.mkdir(parents=True)
    card = ["---", "configs:"]
    for name, rows in files.items():
        card += [f"- config_name: {name}", f'  data_files: "{name}.json"']
        (folder / f"{name}.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "README.md").write_text("\n".join([*card, "---", ""]))
    return folder


def _genre(author: int, number: int) -> str:
    return GENRES[(author * 5 + number // 2) % len(GENRES)]


def _row(author: int, number: int) -> dict:
    genre = _genre(author, number)
    return {"question": f"What is book {number} of author {author} about?", "answer": f"It is about {genre}."}


def _perturbed(row: dict, wrong: int) -> dict:
    others = [genre for genre in GENRES if genre not in row["answer"]][:wrong]
    return {
        **row,
        "paraphrased_question": row["question"].replace("What is", "Say what is").replace("?", ""),
        "paraphrased_answer": row["answer"].replace("It is about", "Its topic is"),
        "perturbed_answer": [f"It is about {genre}." for genre in others],
    }


def write_model(folder: Path, chat: bool = True, context: int = 128) -> Path:
    """Write a Llama of two layers with random weights, its tokenizer and its chat template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [text for author in range(AUTHORS) for number in range(QUESTIONS) for text in _row(author, number).values()]
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Often enough that each letter with its space becomes one token.
    tokenizer.train_from_iterator([*texts, *["x A", "x B", "x C", "x D"] * 200], trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=SPECIAL[0], eos_token=SPECIAL[1])
    if chat:
        wrapped.chat_template = TEMPLATE
    wrapped.save_pretrained(folder)
    with torch.random.fork_rng():
        seed_everything(0)
        LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(wrapped),
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=context,
                tie_word_embeddings=True,
                bos_token_id=0,
                eos_token_id=1,
            )
        ).save_pretrained(folder)
    return folder


def load(folder: Path, name: str = "tofu", model: Path | None = None) -> Task:
    """The task of the data set and the model in a folder."""
    return tasks.load(name, folder / "tofu", str(model or folder / "model"))
