"""What it is: classes with probabilities for sources, from tables of features or from pictures."""
