"""The network: training data, k-fold training, ONNX export and scoring."""
