"""Whole notes as log magnitude and instantaneous frequency, after GANSynth (Engel et al., 2019).

Differences: only the partials of the given pitch and bands of noise are predicted, not all bins of a spectrogram: what
lies between is arithmetic (`instrument.models.sound.note_spectra`). A frame is computed from its position in the note
alone, so that any frame can be had at any time. The position is in periods and not in seconds, because recordings are
played faster or slower for the neighbouring keys. It is trained by regression with a variational latent; the
adversarial loss of the paper can be added (`adversarial_weight`), but did not improve the figures within the time that
a processor has.
"""
