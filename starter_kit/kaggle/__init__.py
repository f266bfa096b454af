"""The way to Kaggle: a submission becomes a notebook, which is rehearsed here, pushed, submitted and waited for.

    submission file → notebook.py → bundle.py → rehearse.py (here) or upload.py (there) → submission.zip → score

What the notebook does is ``cells/``, whose files go into it as they are.
"""
