"""One file a model family: configuration, network, loss and export."""
