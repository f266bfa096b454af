"""Methods that change weights without training, or choose weights: against formulas and naive computations."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot
from torch.utils.data import TensorDataset

from starter_kit.examples import ExampleLoader
from starter_kit.training import seed_everything
from tests.submissions.steps import convolutions, in_one_column, loss, method, moved, squared_gradients, weights
from tests.toys import part


@pytest.mark.parametrize("name", ["prune_l1", "prune_refill_entropy"])
def test_pruning_says_if_there_is_nothing_to_prune(name):
    with pytest.raises(NotImplementedError, match="linear layers, and this network has none"):
        method(name).prune(nn.Sequential(nn.Embedding(4, 4)))


def test_l1_drives_weights_to_zero(net, loaders):
    sizes = []
    for penalty in (0, method("l1_sparse_finetune").PENALTY):
        module, tried = method("l1_sparse_finetune"), copy.deepcopy(net)
        module.PENALTY = penalty
        module.unlearning(tried, *loaders)
        sizes.append(sum(float(tensor.detach().abs().sum()) for tensor in tried.parameters()))
    assert sizes[1] < 0.97 * sizes[0]


def test_half_of_the_weights_are_zeroed_and_batch_norm_is_spared(net):
    before = weights(net)
    method("zero_half_of_weights").zero_random_weights(net)
    for name, tensor in net.named_parameters():
        if "bn" in name:
            assert torch.equal(tensor, before[name])
        else:
            assert float((tensor == 0).double().mean()) == pytest.approx(0.5, abs=2 / tensor.numel() ** 0.5)
            assert torch.equal(tensor[tensor != 0], before[name][tensor != 0])


def test_pruning_keeps_the_largest_weights(net):
    names = [f"{name}.weight" for name in convolutions(net)] + ["fc.weight"]
    before = weights(net)
    method("prune_l1").prune(net)
    everywhere = torch.cat([before[name].abs().flatten() for name in names])
    kept = torch.cat([net.get_parameter(name).detach().flatten() != 0 for name in names])
    assert float(kept.double().mean()) == pytest.approx(0.1, abs=1e-3)
    assert everywhere[kept].min() > everywhere[~kept].max()
    assert moved(before, net) <= set(names)


def test_the_fisher_information_is_the_expectation_over_the_models_labels():
    """The public code computes it with a backward pass for each class."""
    seed_everything(0)
    module, net = method("fisher_noise"), nn.Linear(4, 3)
    nn.init.normal_(net.weight)
    inputs, targets = torch.randn(20, 4), torch.zeros(20, dtype=torch.long)
    means = net(inputs).softmax(dim=1).detach().mean(dim=0)
    expected = [torch.zeros_like(weight) for weight in net.parameters()]
    for label, probability in enumerate(means):
        net.zero_grad()
        cross_entropy(net(inputs), torch.full_like(targets, label)).backward()
        for total, weight in zip(expected, net.parameters(), strict=True):
            total += probability * weight.grad**2
    seed_everything(0)
    drawn = [module.fisher(net, TensorDataset(inputs, targets)) for _ in range(2000)]
    assert {classes for _, classes in drawn} == {3}
    found = [torch.stack(column).mean(dim=0) for column in zip(*(one for one, _ in drawn), strict=True)]
    torch.testing.assert_close(in_one_column(found), in_one_column(expected), rtol=0.12, atol=1e-4)


def test_the_variance_of_fisher_noise_has_the_published_limits_and_factors():
    module = method("fisher_noise")
    module.ALPHA = 1.0
    kernel = torch.tensor([[0.1, 0.1], [0.0, 0.1]])
    expected = torch.tensor([[10.0, 10.0], [505.0, 505.0]])
    torch.testing.assert_close(module.variance(kernel, classes=10), expected)
    torch.testing.assert_close(module.variance(kernel, classes=2), 10 * torch.tensor([[10.0, 10.0], [55.0, 55.0]]))
    torch.testing.assert_close(module.variance(torch.tensor([0.1, 0.0]), classes=10), torch.tensor([100.0, 1e4]))


def test_noise_is_larger_where_the_fisher_information_is_smaller(net, loaders):
    module, before = method("fisher_noise"), weights(net)
    information, classes = module.fisher(net.eval(), loaders[0].dataset)
    module.fisher = lambda net, examples: (information, classes)
    module.ALPHA = 1e-6
    moves = []
    for _ in range(40):
        tried = copy.deepcopy(net)
        module.unlearning(tried, *loaders)
        moves.append({name: tensor.detach() - before[name] for name, tensor in tried.named_parameters()})
    for name, of_weight in zip(before, information, strict=True):
        spread = torch.stack([move[name] for move in moves]).std(dim=0)
        inverse = 1 / of_weight.clamp(min=1e-3)
        if of_weight.ndim > 1:
            spread, inverse = spread.square().mean(dim=1).sqrt(), inverse.mean(dim=1)
        ranks = torch.stack([spread.flatten().argsort().argsort(), inverse.flatten().argsort().argsort()]).float()
        assert torch.corrcoef(ranks)[0, 1] > 0.4, name


def test_influence_is_the_exact_inverse_of_the_outer_products():
    module, net = method("influence"), nn.Linear(4, 3).double()
    module.ITERATIONS, module.TOLERANCE, module.SCALE, module.EXAMPLES = 15, 1e-10, 7.0, 30
    seed_everything(0)
    retain, forget = (TensorDataset(torch.randn(n, 4).double(), torch.randint(3, (n,))) for n in (40, 10))
    loaders = [torch.utils.data.DataLoader(examples, batch_size=8, shuffle=True) for examples in (retain, forget)]

    def gradients(inputs, targets):
        errors = net(inputs).softmax(dim=1) - one_hot(targets, 3)
        return torch.cat([(errors[:, :, None] * inputs[:, None]).flatten(1), errors], dim=1).detach()

    used = []
    exact = module.times_hessian
    module.times_hessian = lambda net, batches, vector: used.append(batches) or exact(net, batches, vector)
    before = in_one_column(net.parameters())
    v = 10 / 50 * (gradients(*forget.tensors).mean(dim=0) - gradients(*retain.tensors).mean(dim=0))
    original = copy.deepcopy(net)
    module.unlearning(net, *loaders, None)
    inputs, targets = (torch.cat(column) for column in zip(*used[0], strict=True))
    assert len(targets) == 30
    moved, net = in_one_column(net.parameters()) - before, original
    outer = gradients(inputs, targets)
    hessian = torch.eye(15).double() + outer.T @ outer / 30
    torch.testing.assert_close(moved, 7.0 * torch.linalg.solve(hessian, v), rtol=1e-6, atol=1e-9)


def test_influence_makes_the_forget_set_less_likely_and_solves_nearly_exactly(net, loaders):
    module, before = method("influence"), [loss(net, loader) for loader in loaders[:2]]
    net.eval()
    v = module.mean_gradient(net, loaders[1]) - module.mean_gradient(net, loaders[0])
    batches = list(loaders[0])
    step = module.solve(lambda vector: module.times_hessian(net, batches, vector), v)
    assert (module.times_hessian(net, batches, step) - v).norm() < 0.01 * v.norm()
    module.unlearning(net, *loaders)
    after = [loss(net, loader) for loader in loaders[:2]]
    assert after[1] - before[1] > 2 * (after[0] - before[0])


def test_ssd_dampens_exactly_the_weights_that_the_formula_names(net, sets):
    retain, forget = part(sets[0], 0, 90), part(sets[1], 0, 30)
    everything = retain.with_columns(torch.cat(pair) for pair in zip(retain.columns, forget.columns, strict=True))
    to_forget, to_all = squared_gradients(net, forget), squared_gradients(net, everything)
    before = list(weights(net).values())
    method("ssd").unlearning(net, ExampleLoader(retain), ExampleLoader(forget), None)
    dampened = 0
    for weight, old, forgotten, every in zip(net.parameters(), before, to_forget, to_all, strict=True):
        # Whether a weight at the threshold is chosen depends on rounding.
        clear = (forgotten / (10 * every) - 1).abs() > 1e-3
        chosen = forgotten > 10 * every
        expected = torch.where(chosen, old * (every / forgotten), old)
        torch.testing.assert_close(weight[clear].detach(), expected[clear], rtol=1e-3, atol=1e-8)
        assert torch.equal(weight[clear & ~chosen], old[clear & ~chosen])
        dampened += int(chosen.sum())
    assert 0 < dampened < 0.9 * sum(old.numel() for old in before)


def test_rum_trains_half_of_the_weights_that_influence_an_output(net, loaders):
    module = method("rum")
    masks = in_one_column(module.salient(net, loaders[1].dataset))
    gradients = in_one_column(squared_gradients(net, loaders[1].dataset))
    alive = gradients > 0
    assert float(masks[alive].double().mean()) == pytest.approx(0.5, abs=0.01)
    assert not masks[~alive].any()
    assert gradients[masks].min() > 0.9 * gradients[alive & ~masks].max()
    module.MOMENTUM = module.WEIGHT_DECAY = 0
    before = in_one_column(net.parameters())
    module.salun(net, *(loader.dataset for loader in loaders[:2]))
    moves = in_one_column(net.parameters()) - before
    assert not moves[~masks].any()
    assert float((moves[masks] != 0).double().mean()) > 0.9


def test_weights_are_scaled_by_a_tenth_of_noise(net, loaders):
    before, buffers = weights(net), [tensor.clone() for tensor in net.buffers()]
    with torch.no_grad():
        net.fc.bias[0] = before["fc.bias"][0] = 0
    method("weight_noise").unlearning(net, *loaders)
    old, new = in_one_column(before.values()), in_one_column(net.parameters())
    noise = new[old != 0] / old[old != 0] - 1
    assert float(noise.mean()) == pytest.approx(0, abs=0.005)
    assert float(noise.std()) == pytest.approx(0.1, rel=0.03)
    assert not new[old == 0].any()
    assert all(torch.equal(*pair) for pair in zip(net.buffers(), buffers, strict=True))
