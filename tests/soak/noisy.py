"""A submission that takes a moment, without work, and leaves a process behind in each run."""

import subprocess
import time

import torch


def unlearning(net, retain, forget, val):
    # In a session of its own, where whoever ends the group of the run does not reach it.
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    # Long enough for kills to fall into it.
    time.sleep(0.2)
    for weight in net.parameters():
        weight.data += 0.01 * torch.randn_like(weight)
