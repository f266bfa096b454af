"""A small language model: a pre-norm transformer that answers with the class axis second, as all networks here do.

Attention is written as products and a softmax. `scaled_dot_product_attention` took a third of a training step on a CPU
at these sizes, and `torch.func` maps it over many models only by a slow detour.
"""

import math

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Causal self-attention and a perceptron, each added to what goes in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.RMSNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key_and_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.norm2 = nn.RMSNorm(width)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, last: int) -> Tensor:
        """[B, L, width] to [B, last, width]: the last positions, each of which sees itself and all before it."""
        batch, length, width = x.shape
        size = width // self.heads
        seen = self.norm1(x)
        # Splitting costs less backwards than slicing, which fills a whole tensor with zeros first.
        asking, kept = (one.split([length - last, last], dim=1)[1].contiguous() for one in (seen, x))
        query = self.query(asking).view(batch, last, self.heads, size).transpose(1, 2) / math.sqrt(size)
        both = self.key_and_value(seen).view(batch, length, 2, self.heads, size)
        keys, values = both.permute(2, 0, 3, 1, 4).unbind(0)
        later = torch.full((last, length), -math.inf, device=x.device, dtype=x.dtype).triu(length - last + 1)
        weights = (query @ keys.transpose(-1, -2) + later).softmax(dim=-1)
        attended = (weights @ values).transpose(1, 2).reshape(batch, last, width)
        x = kept + self.out(attended)
        return x + self.down(torch.relu(self.up(self.norm2(x))))


class SmallTransformer(nn.Module):
    """A causal language model with learned positions.

    Args:
        words: the size of the vocabulary.
        length: the most tokens of an input.
        answers: how many positions, from the end, are answered; None for all. The last block computes no others.
        width: of the hidden states.
        heads: of the attention; they divide the width.
        blocks: how many.
    """

    def __init__(
        self, words: int, length: int, answers: int | None = None, width: int = 32, heads: int = 4, blocks: int = 1
    ) -> None:
        super().__init__()
        self.answers = answers
        self.words = nn.Embedding(words, width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.norm = nn.RMSNorm(width)
        self.head = nn.Linear(width, words, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the embeddings. All other layers have a method of this name themselves."""
        # PyTorch's default, a deviation of 1, drowns what the block adds: training took twice as many steps.
        nn.init.normal_(self.words.weight, std=0.1)
        nn.init.normal_(self.positions.weight, std=0.05)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, L] token ids to [B, words, answers] logits for the token that follows each of the last positions."""
        length = tokens.shape[1]
        last = length if self.answers is None else min(self.answers, length)
        x = self.words(tokens) + self.positions.weight[:length]
        for number, block in enumerate(self.blocks):
            x = block(x, last if number + 1 == len(self.blocks) else length)
        return self.head(self.norm(x)).transpose(1, 2)


class ChoosingTransformer(SmallTransformer):
    """A language model that is asked to choose: an input ends with the choices, and each gets the logit of its token.

    Args:
        words: the size of the vocabulary.
        length: the most tokens of a question.
        choices: how many tokens at the end of an input are choices.
    """

    def __init__(self, words: int, length: int, choices: int) -> None:
        super().__init__(words, length, answers=1)
        self.choices = choices

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, L + choices] token ids to [B, choices] logits."""
        question, choices = tokens.split([tokens.shape[1] - self.choices, self.choices], dim=1)
        return super().forward(question).squeeze(2).gather(1, choices)
