"""What other people wrote and the kit must not trust: submissions and checkpoints."""
