"""The competition's winners: what each does to weights and losses, against closed forms."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from starter_kit import tasks
from starter_kit.examples import ExampleLoader, Examples
from tests.submissions.steps import (
    convolutions,
    method,
    moved,
    probabilities,
    weights,
)
from tests.toys import part


def test_what_is_pruned_is_refilled(net):
    module, before = method("prune_refill_entropy"), weights(net)
    module.prune(net)
    layers = {**convolutions(net), "fc": net.fc}
    kept = {name: layer.weight.detach() != 0 for name, layer in layers.items()}
    share = sum(int(k.sum()) for k in kept.values()) + int((net.fc.bias != 0).sum())
    total = sum(k.numel() for k in kept.values()) + net.fc.bias.numel()
    assert share / total == pytest.approx(0.01, abs=1e-3)
    bias = net.fc.bias.detach().clone()
    module.refill(net)
    assert torch.equal(net.fc.bias, bias)
    for name, layer in layers.items():
        weight, bound = layer.weight.detach(), layer.weight[0].numel() ** -0.5
        assert torch.equal(weight[kept[name]], before[f"{name}.weight"][kept[name]])
        fresh = weight[~kept[name]]
        assert 0.9 * bound < fresh.abs().max() <= bound
        assert float(fresh.std()) == pytest.approx(bound / 3**0.5, rel=0.15)
    assert not {name for name in moved(before, net) if "bn" in name}


def test_entropy_and_rounding(net):
    module = method("prune_refill_entropy")
    torch.testing.assert_close(module.entropy(torch.zeros(2, 10)), torch.full((2,), math.log(10)))
    odds = torch.tensor([[math.log(3), 0.0]])
    torch.testing.assert_close(module.entropy(odds), torch.tensor([-(0.75 * math.log(0.75) + 0.25 * math.log(0.25))]))
    module.round_to_half(net)
    assert all(torch.equal(tensor, tensor.half().float()) for tensor in net.parameters())


def test_weights_with_similar_gradients_are_reinitialised(net, loaders):
    module, before = method("reinitialize_similar_gradients"), weights(net)
    differences = [torch.rand_like(layer.weight) for layer in convolutions(net).values()]
    factors = module.reinitialize(net, differences)
    for (name, layer), difference, factor in zip(convolutions(net).items(), differences, factors, strict=True):
        chosen = factor == 1
        assert int(chosen.sum()) == round(0.3 * chosen.numel())
        assert difference[chosen].max() < difference[~chosen].min()
        assert torch.all(factor[~chosen] == 0.1)
        assert torch.equal(layer.weight[~chosen], before[f"{name}.weight"][~chosen])
        spread = (2 / (layer.out_channels * 9)) ** 0.5
        assert float(layer.weight[chosen].detach().std()) == pytest.approx(spread, rel=3 / int(chosen.sum()) ** 0.5)
    forget = ExampleLoader(loaders[1].dataset, batch_size=len(loaders[1].dataset))
    for difference in module.gradient_differences(net, forget, forget):
        assert difference.max() < 1e-6, "a set agrees with itself"
    assert all(float(d.max()) > 1e-5 for d in module.gradient_differences(net, *loaders[:2]))


def test_the_first_convolution_receives_noise(net, loaders, monkeypatch):
    module = method("noise_class_weighted")
    added = []
    monkeypatch.setattr(module, "add_noise", lambda layer, deviation: added.append((layer, deviation)))
    module.unlearning(net, *loaders)
    assert added == [(net.conv1, 0.6), (net.conv1, 0.005)]
    monkeypatch.undo()
    wide = nn.Conv2d(32, 64, 3)
    start = wide.weight.detach().clone()
    module.add_noise(wide, 0.6)
    assert float((wide.weight - start).detach().std()) == pytest.approx(0.6, rel=0.02)


def dominated(examples):
    """The same examples, with every third of them labelled as the first class as well."""
    targets = torch.where(torch.arange(len(examples)) % 3 == 0, 0, examples.targets)
    return Examples(examples.inputs, targets, examples.image_id, examples.person_id)


def test_batches_of_rare_classes_count_little_where_one_class_dominates(net, trained, monkeypatch):
    """In a single step, the change of the weights is proportional to the mean class weight of the batch."""
    batch = dominated(part(trained[0].retain, 0, 64))
    common = batch.targets == 0
    moves = []
    for weights_of_classes in ((1.0, 0.05), (1.0, 1.0)):
        module, tried = method("noise_class_weighted"), copy.deepcopy(net)
        monkeypatch.setattr(module, "add_noise", lambda layer, deviation: None)
        assert (module.DOMINANT_CLASS_WEIGHT, module.OTHER_CLASS_WEIGHT) == (1.0, 0.05)
        module.DOMINANT_CLASS_WEIGHT, module.OTHER_CLASS_WEIGHT = weights_of_classes
        module.EPOCHS, module.WEIGHT_DECAY, module.LEARNING_RATE = 1, 0, 10
        module.unlearning(tried, ExampleLoader(batch), None, None)
        moves.append((tried.fc.bias - net.fc.bias).detach())
    factor = float(torch.where(common, 1.0, 0.05).mean())
    torch.testing.assert_close(moves[0], factor * moves[1], rtol=1e-3, atol=1e-7)


def test_all_classes_weigh_the_same_where_none_dominates(loaders):
    """Low weights would make the learning rate a seventh."""
    module = method("noise_class_weighted")
    assert torch.equal(module.class_weights(loaders[0]), torch.ones(10))
    faces = ExampleLoader(tasks.load("faces:600").retain)
    assert torch.equal(module.class_weights(faces), torch.tensor([1.0, *[0.05] * 9]))


def test_only_the_drawn_tensors_are_trained(net, loaders):
    module, before = method("noisy_random_layers"), weights(net)
    module.train(net, loaders[0], ["layer1.0.conv1.weight", "fc.bias"], 0.01)
    assert moved(before, net) == {"layer1.0.conv1.weight", "fc.bias"}
    before = weights(net)
    module.add_noise(net, {"layer4.0.conv1.weight"})
    assert moved(before, net) == {"layer4.0.conv1.weight"}
    noise = net.layer4[0].conv1.weight - before["layer4.0.conv1.weight"]
    assert float(noise.detach().std()) == pytest.approx(0.04, rel=0.05)


def parts_of(net):
    """The names of the tensors that `noisy_random_layers` draws from."""
    return [name for name, _ in net.named_parameters() if "bn" not in name]


def test_counts_of_drawn_tensors_scale_with_the_network():
    module = method("noisy_random_layers")
    drawn = {}
    for task in ("faces:600", "digits"):
        names = parts_of(tasks.load(task).network())
        trained = module.draw(names, module.TRAINED_SHARE)
        drawn[len(names)] = len(set(trained)), len(set(module.draw(trained, module.NOISY_SHARE)))
    assert drawn == {28: (9, 6), 7: (2, 1)}


def test_tensors_receive_noise_in_every_epoch_but_the_first(net, loaders, monkeypatch):
    """On digits nine draws were all seven tensors, and what was drawn before receives no noise."""
    module, noisy = method("noisy_random_layers"), []
    monkeypatch.setattr(module, "train", lambda *_: None)
    monkeypatch.setattr(module, "add_noise", lambda net, names: noisy.append(len(names)))
    runs = 50
    for _ in range(runs):
        module.unlearning(net, *loaders)
    epochs = torch.tensor(noisy).reshape(runs, 4)
    assert (epochs.sum(dim=0) > 0).all()
    assert (epochs.sum(dim=1) > 0).double().mean() > 0.8


def test_random_convolutions_are_reset_and_no_shortcut():
    net = tasks.load("faces:600").network()
    resets = []
    for _ in range(20):
        tried = copy.deepcopy(net)
        before = weights(tried)
        method("reset_layers_distill").reset_random_layers(tried)
        resets.append(moved(before, tried))
    assert all(1 <= len(reset) <= 6 for reset in resets)
    assert max(map(len, resets)) > 4
    assert len(set(map(frozenset, resets))) > 10
    allowed = {f"{name}.weight" for name in convolutions(net) if "downsample" not in name}
    assert set().union(*resets) <= allowed


def test_a_small_network_loses_as_small_a_share_of_its_convolutions(net):
    """Six draws reset most of the five convolutions of the network for digits."""
    counts = []
    for _ in range(20):
        tried = copy.deepcopy(net)
        method("reset_layers_distill").reset_random_layers(tried)
        counts.append(len(moved(weights(net), tried)))
    assert set(counts) == {1, 2}


def test_both_ends_are_reset(net, loaders):
    module, before = method("reset_ends_distill"), weights(net)
    module.LEARNING_RATE = module.WARM_UP_LEARNING_RATE = 0
    module.unlearning(net, *loaders)
    assert moved(before, net) == {"conv1.weight", "fc.weight", "fc.bias"}


def test_kernels_are_transposed(net):
    module, before = method("transpose_kernels"), weights(net)
    module.transpose_kernels(net)
    assert torch.equal(net.conv1.weight[:, :, 0, 2], before["conv1.weight"][:, :, 2, 0])
    assert moved(before, net) == {f"{name}.weight" for name in convolutions(net)}
    module.transpose_kernels(net)
    assert moved(before, net) == set()


def test_transposed_models_never_see_forget_or_validation_examples(net, loaders):
    """The other half of the fifth winner's models did, and both halves once shared a file."""
    method("transpose_kernels").unlearning(net, loaders[0], None, None)


def test_guessed_labels_are_predictions_for_validation_examples_of_the_class(net, loaders):
    module = method("pseudo_labels")
    _, forget, val = loaders
    wrong = Examples(val.dataset.inputs, (val.dataset.targets + 1) % 10, val.dataset.image_id, val.dataset.person_id)
    targets = forget.dataset.targets
    # A validation example labelled c + 1 is really a c, and the model predicts c.
    inputs, guesses = module.guess_labels(net, ExampleLoader(forget.dataset, shuffle=False), ExampleLoader(wrong))
    assert float((guesses == (targets - 1) % 10).double().mean()) > 0.9
    dealt = list(module.spread_among(loaders[0], inputs, guesses))
    assert sum(len(labels) for _, labels in dealt) == len(loaders[0].dataset) + len(forget.dataset)


def test_the_contrast_is_a_softmax_over_the_retain_batch(net, loaders):
    module = method("uniform_then_contrastive")
    retain, forget = (next(iter(loader))[0] for loader in loaders[:2])
    net.eval()
    found = module.contrastive_loss(net, forget, retain)
    similar = (net(forget) @ net(retain).T / 1.15).detach().double().numpy()
    expected = -np.mean(similar - np.log(np.exp(similar - similar.max()).sum(1, keepdims=True)) - similar.max())
    assert float(found.detach()) == pytest.approx(expected, rel=1e-5)


def test_outputs_on_the_forget_set_are_flattened(net, loaders):
    module, before = method("uniform_then_contrastive"), probabilities(net, loaders[1]).amax(dim=1).mean()
    module.UNIFORM_LEARNING_RATE = 0.1
    for _ in range(5):
        module.flatten_outputs(net, loaders[1])
    assert probabilities(net, loaders[1]).amax(dim=1).mean() < before - 0.2
