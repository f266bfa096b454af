"""What is timed, run by `make bench`. A file here is one thing to measure, with `measure() -> dict of figures`."""
