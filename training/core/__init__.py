"""What all other packages of training use: checkpoints, recipes as dataclasses, ONNX graphs and optimisers."""
