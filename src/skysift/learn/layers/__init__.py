"""Networks that turn small images into vectors: residual ones and transformers."""
