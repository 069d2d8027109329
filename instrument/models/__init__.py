"""What a bundle is and how to run it: numpy in, numpy out (onnxruntime lives here alone)."""
