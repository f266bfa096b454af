"""Banks: an original with its retrained pool in one file, so that others score without training either."""
