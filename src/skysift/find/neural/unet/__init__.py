"""Networks that tell of each pixel what it is part of: residual U-Net and fully convolutional DenseNet."""
