"""The endless genre stream: a conditional mel GAN (MelGAN, Kumar et al., 2019) over codes that a recurrent prior
samples without end.

Transposed convolutions with weight norm, dilated residual blocks, conditioning on the genre, a projection critic
(Miyato & Koyama, 2018). Differences: everything is one-dimensional over time and causal, so that it can stream. A
latent frame is not white noise but a code of eight mel frames, found by principal components and k-means on residuals,
which takes seconds; the generator starts as its inverse and is trained further with the critic: with a critic alone,
thousands of batches go into getting from noise to tones. While playing, the style moves between Gaussian anchors, as in
Musika (Pasini & Schlüter, 2022).
"""
