"""What tests of single methods share: a method as a module, and what it did to a network."""

import copy
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy

ROOT = Path(__file__).parents[2]


def method(name):
    """A submission as a new module, so that a test can change its constants."""
    spec = spec_from_file_location(name, ROOT / f"submissions/{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@torch.no_grad()
def loss(net, loader):
    net = copy.deepcopy(net).eval()
    return float(cross_entropy(net(loader.dataset.inputs), loader.dataset.targets))


@torch.no_grad()
def probabilities(net, loader):
    return copy.deepcopy(net).eval()(loader.dataset.inputs).softmax(dim=1)


def weights(net):
    return {name: tensor.detach().clone() for name, tensor in net.named_parameters()}


def moved(before, net):
    return {name for name, tensor in net.named_parameters() if not torch.equal(tensor, before[name])}


def convolutions(net):
    return {name: module for name, module in net.named_modules() if isinstance(module, nn.Conv2d)}


def squared_gradients(net, examples):
    """For each weight tensor, the squared gradient of the mean loss over all examples."""
    net = copy.deepcopy(net).eval()
    cross_entropy(net(examples.inputs), examples.targets).backward()
    return [weight.grad**2 for weight in net.parameters()]


def in_one_column(tensors):
    return torch.cat([tensor.detach().flatten() for tensor in tensors])
