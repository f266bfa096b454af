"""The loss of an answer, and whether it is correct, against PyTorch and naive loops."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax

from starter_kit.answers import NOT_ASKED, correct, loss
from starter_kit.examples import ExampleLoader
from starter_kit.training import Recipe, seed_everything, train
from tests.toys import TOKENS, sequence_task, sets_of

BATCH, CLASSES, LENGTH, MODELS = 7, 5, 6, 3
WEIGHTS = (0.5, 1.0, 2.0, 0.0, 3.0)

weighted = pytest.mark.parametrize("class_weights", [None, torch.tensor(WEIGHTS, dtype=torch.float64)])


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def drawn(generator, *shape):
    """Logits and targets of float64 models; every example asks for at least one class."""
    logits = 3 * torch.randn(shape[0], CLASSES, *shape[1:], generator=generator, dtype=torch.float64)
    targets = torch.randint(CLASSES, shape, generator=generator)
    if len(shape) == 2:
        skipped = torch.rand(shape, generator=generator) < 0.4
        skipped[:, -1] = False
        targets[skipped] = NOT_ASKED
    return logits.requires_grad_(), targets


def naive_loss(logits, targets, class_weights):
    """The definition, one class of one example at a time."""
    weights = torch.ones(CLASSES) if class_weights is None else class_weights
    losses, counts = [], []
    for answer, asked in zip(logits, targets, strict=True):
        terms, weights_of_terms = [], []
        for position, wanted in enumerate(asked.tolist()):
            if wanted != -100:
                terms.append(-weights[wanted] * log_softmax(answer[:, position], dim=0)[wanted])
                weights_of_terms.append(weights[wanted])
        losses.append(sum(terms) / len(terms))
        counts.append(sum(weights_of_terms) / len(terms))
    return sum(losses) / sum(counts)


def assert_same_with_gradients(found, expected, logits):
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(value, logits)[0] for value in (found, expected)]
    assert gradients[1].abs().max() > 0
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


class TestLoss:
    @weighted
    def test_for_one_class_it_is_pytorchs_own(self, generator, class_weights):
        logits, targets = drawn(generator, BATCH)
        expected = cross_entropy(logits, targets, class_weights)
        assert_same_with_gradients(loss(logits, targets, class_weights), expected, logits)

    @weighted
    def test_for_a_sequence_it_is_the_mean_over_examples_of_their_means(self, generator, class_weights):
        logits, targets = drawn(generator, BATCH, LENGTH)
        assert len({int((row == NOT_ASKED).sum()) for row in targets}) > 1, "else the mean of means is the plain mean"
        expected = naive_loss(logits, targets, class_weights)
        assert_same_with_gradients(loss(logits, targets, class_weights), expected, logits)

    @weighted
    def test_what_is_not_asked_has_no_influence(self, generator, class_weights):
        logits, targets = drawn(generator, BATCH, LENGTH)
        (gradient,) = torch.autograd.grad(loss(logits, targets, class_weights), logits)
        assert (gradient.transpose(1, 2)[targets == NOT_ASKED] == 0).all()
        other = torch.where((targets == NOT_ASKED).unsqueeze(1), torch.randn_like(logits), logits)
        assert torch.equal(loss(other, targets, class_weights), loss(logits, targets, class_weights))

    @weighted
    def test_a_sequence_of_one_class_is_one_class(self, generator, class_weights):
        logits, targets = drawn(generator, BATCH)
        sequence = loss(logits.unsqueeze(2), targets.unsqueeze(1), class_weights)
        assert_same_with_gradients(sequence, loss(logits, targets, class_weights), logits)

    @weighted
    @pytest.mark.parametrize("shape", [(), (LENGTH,)])
    def test_models_side_by_side_keep_to_themselves(self, generator, class_weights, shape):
        """Row b * models + k is model k's b-th example."""
        logits, targets = drawn(generator, BATCH * MODELS, *shape)
        alone = [loss(logits[k::MODELS], targets[k::MODELS], class_weights) for k in range(MODELS)]
        assert_same_with_gradients(loss(logits, targets, class_weights, MODELS), sum(alone), logits)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_it_has_the_precision_of_the_network(self, generator, dtype):
        logits, targets = drawn(generator, BATCH, LENGTH)
        assert loss(logits.to(dtype), targets).dtype == dtype
        recipe = Recipe("sgd", 1, 4, 0.1, 0.0, class_weights=WEIGHTS)
        weights = recipe.weights_for(nn.Linear(2, CLASSES, dtype=dtype))
        assert weights.dtype == dtype
        assert loss(logits.to(dtype), targets, weights).dtype == dtype


class TestCorrect:
    def test_one_class(self):
        logits = torch.tensor([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.0, 0.4, 0.6]])
        assert correct(logits, torch.tensor([1, 1, 2])).tolist() == [True, False, True]

    def test_every_class_of_a_sequence_that_is_asked_must_be_right(self):
        answers = torch.tensor([[0, 1, 2], [0, 1, 2], [0, 1, 2], [2, 1, 2]])
        logits = nn.functional.one_hot(answers, 3).float().transpose(1, 2)
        targets = torch.tensor([[0, 1, 2], [0, 1, 1], [NOT_ASKED, 1, NOT_ASKED], [NOT_ASKED, 1, 2]])
        assert correct(logits, targets).tolist() == [True, False, True, True]

    def test_a_sequence_of_one_class_is_one_class(self, generator):
        logits, targets = drawn(generator, 100)
        assert torch.equal(correct(logits.unsqueeze(2), targets.unsqueeze(1)), correct(logits, targets))
        assert torch.equal(correct(logits, targets), logits.argmax(dim=1) == targets)


class MeanOfEmbeddings(nn.Module):
    """[B, 4] int64 tokens to [B, 2] logits."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 8)
        self.fc = nn.Linear(8, 2)

    def forward(self, tokens):
        assert tokens.dtype == torch.int64
        return self.fc(self.embedding(tokens).mean(dim=1))


def test_tokens_stay_integers_through_loaders_and_training():
    """With class weights, which must be in the network's precision and not in that of the inputs."""
    tokens = torch.randint(TOKENS, (200, 4), generator=torch.Generator().manual_seed(0))
    targets = (tokens < TOKENS // 2).float().mean(dim=1).gt(0.5).long()
    examples = sets_of(tokens, targets, {"retain": 200})["retain"]
    assert all(inputs.dtype == torch.int64 for inputs, _ in ExampleLoader(examples, 64))
    seed_everything(0)
    net = MeanOfEmbeddings()
    train(net, examples, Recipe("adam", 20, 16, 1e-2, 0.0, class_weights=(0.25, 0.75)))
    assert correct(net(tokens), targets).float().mean() > 0.9


def test_sequences_can_be_trained_with_class_weights():
    task = sequence_task()
    seed_everything(0)
    net = task.network()
    train(net, task.retain, replace(task.recipe, class_weights=(1.0, 2.0) * (TOKENS // 2)))
    with torch.inference_mode():
        assert correct(net(task.retain.inputs), task.retain.targets).float().mean() > 0.5
