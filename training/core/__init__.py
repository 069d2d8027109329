"""What every other room of training uses: checkpoints, recipes as dataclasses, ONNX graphs and optimisers."""
