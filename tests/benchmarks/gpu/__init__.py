"""What one GPU has to answer: `make gpu`. Each file but `__main__.py` is a section."""
