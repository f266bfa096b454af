"""Submissions that bring their own learning, as text, and a task that they learn in a second."""

from dataclasses import replace

from starter_kit import tasks

MODELS = 8

TWINS = """
import copy
import torch
from torch import nn
from torch.nn.functional import cross_entropy

class Twins(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.networks = nn.ModuleList([first, second])
        self.details = {"networks": 2}

    def forward(self, x):
        return (self.networks[0](x) + self.networks[1](x)) / 2

def learning(net, train, val):
    model = Twins(net, copy.deepcopy(net))
    for network in model.networks:
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for inputs, targets in train:
            optimizer.zero_grad()
            cross_entropy(network(inputs), targets).backward()
            optimizer.step()
    return model

def unlearning(net, retain, forget, val):
    for weight in net.parameters():
        weight.data += 0.01 * torch.randn_like(weight)
"""


SAME = "def unlearning(net, retain, forget, val):\n    return net\n"

EXACT = """
import torch
from torch import nn
from torch.nn.functional import cross_entropy

class Rows(nn.Module):
    def __init__(self, net, seed):
        super().__init__()
        self.net, self.seed = net, seed

    def forward(self, x):
        return self.net(x)

def fit(model, loader):
    found = [(batch[0], batch[1], batch["image_id"]) for batch in loader]
    inputs, targets, ids = (torch.cat(column) for column in zip(*found))
    order = ids.argsort()
    torch.manual_seed(model.seed)
    for module in model.net.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    optimizer = torch.optim.SGD(model.net.parameters(), lr=0.1)
    for batch in order.split(256):
        optimizer.zero_grad()
        cross_entropy(model.net(inputs[batch]), targets[batch]).backward()
        optimizer.step()
    return model

def learning(net, train, val):
    return fit(Rows(net, int(torch.randint(2**40, ()))), train)

def unlearning(net, retain, forget, val):
    return fit(net, retain)
"""


def digits_briefly():
    task = tasks.load("digits")
    return replace(task, recipe=replace(task.recipe, epochs=2))
