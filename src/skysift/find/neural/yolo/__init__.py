"""One look at the map: a fully convolutional network with a prediction a cell."""
