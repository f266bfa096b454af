"""Data sets and models of the Hugging Face hub, or folders in its layout, with a sentence where one is missing."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from starter_kit.errors import TaskError, quoted
from starter_kit.extras import how_to_install

MODEL = "meta-llama/Llama-3.2-1B-Instruct"
"""Downloaded unless ``MODEL=`` names another one. Its licence has to be accepted on the hub first."""

MODEL_FILES = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model", "*.txt"]
"""What is downloaded of a model. Weights that would have to be unpickled are left out."""

Row = dict[str, Any]


class Reader(Protocol):
    """Reads a configuration of a data set."""

    def __call__(self, configuration: str, columns: Sequence[str], split: str = "train") -> list[Row]:
        """All rows of a split, if they have these columns and none of them is empty.

        Raises:
            TaskError: the data set is unavailable or has no such rows.
        """


def package(name: str) -> Any:
    """A package of the optional extra.

    Raises:
        TaskError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise TaskError(f"This task needs the package {name}: {quoted(error)}. {how_to_install(name)}.") from error


def reader(name: str, data: Path, usual: Path) -> Reader:
    """What reads a data set.

    Args:
        name: of the data set on the hub.
        data: a folder in the same layout, with the data set's card, whose YAML lists the configurations.
        usual: where the folder is by default. If it does not exist, the data set is downloaded.

    Raises:
        TaskError: the folder or the package is missing.
    """
    datasets = package("datasets")
    if not data.is_dir() and data != usual:
        raise TaskError(f"There is no folder {quoted(data)}. Expected {name} in the layout of the hub; see DATA=.")
    here = data.is_dir()
    source = str(data) if here else name

    def read(configuration: str, columns: Sequence[str], split: str = "train") -> list[Row]:
        try:
            # As a stream, since the library's cache does not notice when a file in a folder changes.
            rows = list(datasets.load_dataset(source, configuration, split=split, streaming=here))
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            raise TaskError(
                f"{quoted(source)}: its configuration {configuration}, split {split}, cannot be read: "
                f"{quoted(error)}. Expected {name} of the Hugging Face hub, or a folder in its layout: README.md, "
                "whose YAML lists the configurations with their data_files, and those files. Without a connection, "
                f"download it on another machine and copy it to {quoted(usual)}, or name a folder with DATA=."
            ) from error
        if not rows:
            raise TaskError(f"{quoted(source)}, {configuration}: expected at least one row, found none.")
        if missing := [column for column in columns if column not in rows[0]]:
            raise TaskError(
                f"{quoted(source)}, {configuration}: expected the columns {', '.join(columns)}; "
                f"{', '.join(missing)} is missing. Found {quoted(', '.join(rows[0]))}."
            )
        for number, row in enumerate(rows):
            if empty := [column for column in columns if row[column] in (None, "", [])]:
                raise TaskError(f"{quoted(source)}, {configuration}, row {number}: {empty[0]} is empty.")
        return rows

    return read


def model_folder(model: str) -> str:
    """The folder of a model, which is downloaded if ``model`` is no folder but its name on the hub.

    Raises:
        TaskError: a package is missing, or the model is unavailable.
    """
    for name in ("transformers", "peft"):
        package(name)
    from huggingface_hub import snapshot_download

    try:
        folder = Path(model) if Path(model).is_dir() else Path(snapshot_download(model, allow_patterns=MODEL_FILES))
    except (OSError, ValueError) as error:
        raise TaskError(
            f"The model '{quoted(model)}' is no folder here, and cannot be downloaded: {quoted(error)}. Expected the "
            "name of a causal language model on the Hugging Face hub, whose licence you accepted there, or a folder "
            "as save_pretrained writes it. Name another one with MODEL=."
        ) from error
    found = sorted(path.name for path in folder.iterdir())
    if "config.json" not in found or not any(name.endswith(".safetensors") for name in found):
        raise TaskError(
            f"The model {quoted(model)} is incomplete: expected config.json, *.safetensors and a tokenizer as "
            f"save_pretrained writes them; found {quoted(', '.join(found)) or 'nothing'}."
        )
    return str(folder)


def usable(network: Callable[[], nn.Module], folder: str) -> Callable[[], nn.Module]:
    """The network itself, if it can be made from the model in a folder and answers two tokens.

    Raises:
        TaskError: it cannot.
    """
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            network()(torch.zeros(1, 2, dtype=torch.int64))
    except MemoryError:
        raise
    except Exception as error:  # The files are from elsewhere, and libraries raise errors of many types.
        raise TaskError(
            f"The model {quoted(folder)} cannot be used: {quoted(error)}. Expected a causal language model of "
            "transformers that takes attention_mask, position_ids and logits_to_keep, with weights as safetensors. "
            "Name another one with MODEL=."
        ) from error
    return network


def tokenizer_of(folder: str) -> Any:
    """The tokenizer of the model in a folder.

    Raises:
        TaskError: it cannot be read.
    """
    try:
        return package("transformers").AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise TaskError(f"{quoted(folder)}: its tokenizer cannot be read: {quoted(error)}.") from error


def context_of(folder: str) -> int:
    """How many tokens the model in a folder reads at most.

    Raises:
        TaskError: its configuration cannot be read.
    """
    try:
        config = package("transformers").AutoConfig.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise TaskError(f"{quoted(folder)}: its config.json cannot be read: {quoted(error)}.") from error
    return int(getattr(config, "max_position_embeddings", 0) or 2**31)
