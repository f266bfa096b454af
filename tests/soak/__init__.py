"""The soak: the program is killed many times over, and ends with the bits of a run that nobody disturbed."""
