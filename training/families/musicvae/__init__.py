"""MusicVAE (Roberts et al., 2018): phrases of whole bars as points of a latent space.

A bidirectional LSTM encodes a phrase as a Gaussian. A conductor LSTM turns a point of the space into a context for each
segment (a bar, or less), from which a decoder LSTM writes the segment's tokens. Without a conductor (`conductor = 0`)
the phrase is one segment: the paper's flat baseline.

Differences, so that an hour on a processor is enough: the posterior reads the encoder at every segment, not at its two
ends alone; every LSTM gets the position of its step; of long phrases each segment is encoded by itself
(`separate_segments`), and the conductor gets a linear projection of z of its own for each segment (`segment_view`).
Posterior and projections start with a share of z for each segment, so a long phrase is at first learnt as many short
ones. Tokens before are dropped from the decoder's input (Bowman et al., 2016), or it would ignore z.
"""
