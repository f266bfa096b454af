"""Words of small languages of our own, and a tokenizer that takes each as a whole."""

from collections.abc import Iterable

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

PADDING, END = "<pad>", "<end>"


def words(text: str) -> tuple[str, ...]:
    """The words of a text, which spaces separate."""
    return tuple(text.split())


def tokenizer_of(vocabulary: Iterable[str]) -> Tokenizer:
    """A tokenizer that knows these words, ``PADDING`` and ``END``."""
    # The padding comes first: `Examples` takes 0 for it.
    numbers = {word: number for number, word in enumerate([PADDING, END, *sorted(set(vocabulary))])}
    tokenizer = Tokenizer(WordLevel(numbers, unk_token=PADDING))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    return tokenizer
