"""A downloaded causal language model as a network of the kit: frozen with low-rank adapters, or trained as a whole.

All networks of a process share the frozen weights. A network of its own consists of its adapters alone: these are its
parameters and its state, and a copy of it copies nothing else.
"""

import copy
import hashlib
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

RANK, ALPHA = 8, 32
"""Of the adapters, as TOFU's authors publish them (`config/finetune_lora.yaml`), here without dropout."""


class Frozen(nn.Parameter):
    """A weight that is never trained. Copies of a network share it."""

    elsewhere: dict[torch.device, "Frozen"]

    def __deepcopy__(self, memo: dict[int, Any]) -> "Frozen":
        return self

    def on(self, device: torch.device) -> "Frozen":
        """The weight on a device, again the same one for all."""
        if device == self.device:
            return self
        if device not in self.elsewhere:
            self.elsewhere[device] = _frozen(self.to(device), self.elsewhere)
        return self.elsewhere[device]


def _frozen(value: Tensor, elsewhere: dict[torch.device, Frozen]) -> Frozen:
    made = Frozen(value.detach(), requires_grad=False)
    made.elsewhere = elsewhere
    elsewhere[made.device] = made
    return made


class LanguageModel(nn.Module):
    """Answers with the class axis second, for the last positions alone, in single precision.

    Inputs are token ids, and -1 where there is no token: many tokenizers have no id for padding, and to reuse the one
    that ends an answer would hide the end.

    Args:
        folder: holds a model as ``save_pretrained`` writes it, with its weights as safetensors.
        answers: how many positions, from the end, are answered.
        adapters: whether the model's own weights are frozen, with adapters on all linear layers but the last, drawn
            from torch's global generator; otherwise all weights are trained, and every new network starts with the
            same ones.
    """

    def __init__(self, folder: str, answers: int, adapters: bool = True) -> None:
        super().__init__()
        self.folder, self.answers = folder, answers
        base = copy.deepcopy(_base(folder))
        self.language_model = _adapted(base) if adapters else _with_own_weights(base)
        self.register_state_dict_post_hook(_leave_out_frozen)
        self.register_load_state_dict_post_hook(_do_not_miss_frozen)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, L] token ids to [B, V, answers] logits for the token that follows each of the last positions."""
        return self.last_logits(tokens, self.answers).transpose(1, 2)

    def last_logits(self, tokens: Tensor, positions: int) -> Tensor:
        """[B, positions, V] float32 logits, from [B, L] token ids."""
        # What is padding before all questions of a batch would only cost time.
        tokens = tokens[:, int((tokens >= 0).any(dim=0).int().argmax()) :]
        there = tokens >= 0
        found = self.language_model(
            input_ids=tokens.clamp(min=0),
            attention_mask=there.long(),
            position_ids=(there.cumsum(dim=1) - 1).clamp(min=0),
            logits_to_keep=positions,
            use_cache=False,
        )
        return found.logits[:, -positions:].float()

    def merged(self) -> nn.Module:
        """The model as transformers knows it, with weights of its own and the adapters merged into them.

        For ``save_pretrained``, or for programs that take no adapters.
        """
        own = _with_own_weights(copy.deepcopy(self.language_model))
        return own.merge_and_unload() if hasattr(own, "merge_and_unload") else own

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """All that is trained. ``parameters`` follows."""
        for name, value in super().named_parameters(prefix, recurse, remove_duplicate):
            if not isinstance(value, Frozen):
                yield name, value

    def extra_repr(self) -> str:
        """What else decides the answers; it is part of the key of every row."""
        versions = ", ".join(f"{package} {version(package)}" for package in ("transformers", "peft"))
        return f"answers={self.answers}, base {_digest(self.folder)}, {versions}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "LanguageModel":
        """Move what is the network's own, and take the frozen weights that are on its new device.

        They would be moved for all networks otherwise, or copied for each.
        """
        places = [
            (module, name, value)
            for module in self.modules()
            for name, value in module._parameters.items()
            if isinstance(value, Frozen)
        ]
        for module, name, _ in places:
            module._parameters[name] = None
        try:
            super()._apply(fn, recurse)
        finally:
            device = fn(torch.empty(0)).device
            for module, name, value in places:
                module._parameters[name] = value.on(device)
        return self


@cache
def _base(folder: str) -> nn.Module:
    """The model with frozen weights on the CPU, read once per process."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    # A bar for each of many processes.
    logging.disable_progress_bar()
    # In single precision: sums in half precision tie, and rules count ties. No pickle is opened.
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    return _with_weights(base, lambda value: _frozen(value, {}))


def _with_own_weights(model: Any) -> Any:
    """The model, in whose frozen weights' places are copies to be trained."""
    return _with_weights(model, lambda value: nn.Parameter(value.detach().clone()) if type(value) is Frozen else value)


def _with_weights(model: nn.Module, made: Callable[[nn.Parameter], nn.Parameter]) -> nn.Module:
    """The model with other parameters in the places of its own; tied ones stay tied."""
    others: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, value in module._parameters.items():
            if value is not None:
                if id(value) not in others:
                    others[id(value)] = made(value)
                module._parameters[name] = others[id(value)]
    return model


def _adapted(base: nn.Module) -> nn.Module:
    """The model with new adapters."""
    from peft import LoraConfig, get_peft_model

    with warnings.catch_warnings():
        # peft asks by a name that transformers is about to drop, and warns of layers that it knows how to treat.
        warnings.simplefilter("ignore")
        return get_peft_model(base, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear"))


@cache
def _digest(folder: str) -> str:
    """SHA-256 of the model's configuration and weights, in hexadecimal."""
    digest = hashlib.sha256()
    for path in [Path(folder) / "config.json", *sorted(Path(folder).glob("*.safetensors"))]:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _frozen_names(net: nn.Module) -> set[str]:
    every = nn.Module.named_parameters(net, remove_duplicate=False)
    return {name for name, value in every if isinstance(value, Frozen)}


def _leave_out_frozen(net: nn.Module, state: dict[str, Tensor], prefix: str, _metadata: object) -> None:
    for name in _frozen_names(net):
        del state[prefix + name]


def _do_not_miss_frozen(net: nn.Module, keys: Any) -> None:
    frozen = _frozen_names(net)
    keys.missing_keys[:] = [name for name in keys.missing_keys if name not in frozen]
