"""What the LSTM and the Transformer share: heads, task, bundle."""
