"""A voice of partials and noise, after DDSP (Engel et al., 2020): an autoencoder of single notes that decodes to the
levels of partials and of noise bands.

Differences: it learns from analysed partials, not from audio through a differentiable synthesiser; there is no
recurrent decoder. One network runs when a note starts or its timbre is changed, a
small one in every frame, so that many notes sound at once; partials may be inharmonic (pianos), and the latent is a
variational one that instrument, pitch and velocity do not explain.
"""
