"""The streaming vocoder: ConvNeXt blocks and a spectral head after Vocos (Siuzdak, 2023), log mels in, one inverse
Fourier transform a frame out.

Differences: it is causal. Phases are not predicted but accumulated from frame to frame
(`instrument.models.sound.vocoder`): a network that sees constant mels would repeat its phases with every frame, 172
times a second. A second part of each bin is noise. High bins share levels in bands. There is no discriminator: the loss
is a spectral energy distance (Gritsenko et al., 2020) with multi-resolution STFT distances (Yamamoto et al., 2020).
"""
