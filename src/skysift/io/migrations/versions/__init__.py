"""The scripts: `<branch>_NNNN_<what>.py`, the first of a branch with its label."""
