"""Learning: fields of labelled pixels, one loop for every model, checkpoints that carry their card."""
