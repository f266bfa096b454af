"""What a participant reads and edits: the function to write, its batches, the networks, the recipe, the tasks."""
