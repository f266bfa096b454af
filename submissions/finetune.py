import torch
from torch import nn

EPOCHS = 1
LEARNING_RATE = 0.05


def unlearning(net, retain, forget, val):
    opt = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4)
    net.train()
    for _ in range(EPOCHS):
        for inputs, targets in retain:
            opt.zero_grad()
            nn.functional.cross_entropy(net(inputs), targets).backward()
            opt.step()
    net.eval()
