"""Benchmarks, run by `make bench`. Each file named in `__main__.py` has a function `measure() -> dict of figures`."""
