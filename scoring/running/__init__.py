"""Running jobs: which rows a pool needs, which are stored, and making the rest."""
