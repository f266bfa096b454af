"""What the competition fixed: its training recipe and the layout of its input folder."""
