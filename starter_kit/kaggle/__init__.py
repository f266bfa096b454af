"""The way to Kaggle: turn a submission into a notebook, rehearse it here, push it, submit it, wait for the score.

    submission file → notebook.py → bundle.py → rehearse.py (here) or upload.py (on Kaggle) → submission.zip → score

``cells/`` holds what the notebook does: its files become the notebook's cells unchanged. README.md is the guide.
"""
