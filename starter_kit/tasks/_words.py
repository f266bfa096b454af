"""A tokenizer of whole words, for small languages of our own."""

from collections.abc import Iterable

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

PADDING, END = "<pad>", "<end>"


def tokenizer_of(words: Iterable[str]) -> Tokenizer:
    """A tokenizer that knows these words, ``PADDING`` and ``END``."""
    # The padding comes first: `Examples` takes 0 for it.
    numbers = {word: number for number, word in enumerate([PADDING, END, *sorted(set(words))])}
    tokenizer = Tokenizer(WordLevel(numbers, unk_token=PADDING))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    return tokenizer
