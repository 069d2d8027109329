"""The recurrent note model: an LSTM (Hochreiter & Schmidhuber, 1997) with one step a note and the heads of
`families.notes`.

Differences: none in training. In the bundle the gates of a layer are one matrix product, which quantises well, instead
of ONNX's LSTM operator.
"""
