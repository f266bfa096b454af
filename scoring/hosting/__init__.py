"""Competitions of one's own: what an organiser uploads to Codabench or Kaggle, and the program that scores there."""
