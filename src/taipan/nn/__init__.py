"""The network: training data, signed-weight metrics, k-fold training, ONNX export and scoring."""
