"""Jobs: how the rows of a pool are made, by training and by unlearning."""
