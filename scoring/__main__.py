"""``python -m scoring`` is the program ``unlearning-kit``."""

from scoring.cli import main

if __name__ == "__main__":
    main()
