"""The network of the vocoder, and the graph of its bundle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instrument.models.manifest import Port
from instrument.models.manifest import State as StatePair
from instrument.models.sound.spectral import CENTRE, SPREAD, MelFormat, hertz_of, mel_matrix, mel_of
from training.core.graphs import Graph
from training.core.ranges import Count

State = tuple[Tensor, ...]
FORMAT = MelFormat()
ENTRY = 3  # frames that the first convolution sees
LOUDEST = 8.0  # log magnitude


@dataclass(frozen=True, slots=True)
class Config:
    """width: of the blocks; layers: how many; hidden: width within one; kernel: frames that each sees; tonal_bins: the
    lowest bins, whose phases are accumulated; fine_bins: the lowest bins, with a level each; high_bands: bands of
    levels above these; noise_bands: bands, over all bins, of the share of noise."""

    width: Count = 128
    layers: Count = 5
    hidden: Count = 192
    kernel: Count = 7
    tonal_bins: Count = 256
    fine_bins: Count = 512
    high_bands: Count = 32
    noise_bands: Count = 48

    def __post_init__(self) -> None:
        """ValueError if the sizes do not fit together."""
        if max(self.tonal_bins, self.fine_bins + 1) > FORMAT.bins:
            raise ValueError(f"tonal_bins and fine_bins must be below the {FORMAT.bins} bins that there are")


class Block(nn.Module):
    """A causal ConvNeXt block on (batch, width, frames); its state is the last kernel - 1 frames before."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(config.width, config.width, config.kernel, groups=config.width)
        self.norm = nn.LayerNorm(config.width)
        self.widen = nn.Linear(config.width, config.hidden)
        self.narrow = nn.Linear(config.hidden, config.width)
        self.scale = nn.Parameter(torch.full((config.width,), 1 / config.layers))

    def forward(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """x, and the state after it."""
        seen = torch.cat([before, x], 2)
        y = self.norm(self.depthwise(seen).transpose(1, 2))
        y = self.narrow(F.gelu(self.widen(y), approximate="tanh")) * self.scale
        return x + y.transpose(1, 2), seen[:, :, -before.shape[2] :]


class Network(nn.Module):
    """The model. It has no condition."""

    def __init__(self, config: Config, genres: int = 0) -> None:
        super().__init__()
        self.config = config
        bins, tonal = FORMAT.bins, config.tonal_bins
        self.sizes = (config.fine_bins, config.high_bands, config.noise_bands, tonal, tonal, tonal)
        self.entry = nn.Conv1d(2 * FORMAT.mels, config.width, ENTRY)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, sum(self.sizes))
        self.envelope = nn.Linear(FORMAT.mels, bins)  # the magnitudes that follow from the mels alone
        self.register_buffer("above", tents(config.high_bands, bins - config.fine_bins), persistent=False)
        self.register_buffer("across", tents(config.noise_bands, bins), persistent=False)
        with torch.no_grad():
            self.head.weight *= 0.1
            _, _, noise, run, _, gate = self.head.bias.zero_().split(self.sizes)
            noise.copy_(torch.linspace(0, 1, config.noise_bands))
            run.fill_(1.0)  # initial values that need no training
            gate.fill_(-0.5)
            weight, bias = envelope()
            self.envelope.weight.copy_(torch.from_numpy(weight))
            self.envelope.bias.copy_(torch.from_numpy(bias))

    def initial(self, batch_size: int) -> State:
        """States before the first frame: of the entry, then of each block."""
        new, config = self.entry.weight.new_zeros, self.config
        first = new(batch_size, 2 * FORMAT.mels, ENTRY - 1)
        return (first, *(new(batch_size, config.width, config.kernel - 1) for _ in self.blocks))

    def trunk(self, mels: Tensor, places: Tensor, states: State) -> tuple[Tensor, State]:
        """What is known at every frame, (batch, frames, width), and the states after the last."""
        seen = torch.cat([states[0], torch.cat([mels, places], -1).transpose(1, 2)], 2)
        x, after = self.entry(seen), [seen[:, :, -(ENTRY - 1) :]]
        for block, before in zip(self.blocks, states[1:], strict=True):
            x, state = block(x, before)
            after.append(state)
        return self.norm(x.transpose(1, 2)), tuple(after)

    def parts(self, x: Tensor, mels: Tensor, lobes: Tensor) -> tuple[Tensor, ...]:
        """Of every frame: log magnitudes (batch, frames, bins); then the parts of the phase of a bin, of any scale:
        that of noise (batch, frames, bins), and the running part (real, imaginary; the tonal bins only)."""
        fine, high, noise, run_real, run_imaginary, gate = self.head(x).split(self.sizes, -1)
        lobes = F.pad(torch.sigmoid(gate) * lobes, (0, FORMAT.bins - self.config.tonal_bins))
        log = torch.cat([fine, high @ self.above], -1) + self.envelope(mels) + lobes
        return log.clamp(max=LOUDEST), noise @ self.across, run_real, run_imaginary

    def forward(self, mels: Tensor, places: Tensor, lobes: Tensor, states: State) -> tuple[Tensor, State]:
        """mels, places (batch, frames, mels) and lobes (batch, frames, tonal), of `Peaks.find` -> side by side (batch,
        frames, 2 bins + 2 tonal): magnitudes, and the parts of phases."""
        x, states = self.trunk(mels, places, states)
        log, *parts = self.parts(x, mels, lobes)
        return torch.cat([log.exp(), *parts], -1), states


def tents(bands: int, bins: int) -> Tensor:
    """Weights (bands, bins) that draw lines through the levels of bands, the first at the first bin, the last at the
    last."""
    rows = [np.interp(np.arange(bins), np.linspace(0, bins - 1, bands), row) for row in np.eye(bands)]
    return torch.from_numpy(np.array(rows, np.float32))


def envelope() -> tuple[np.ndarray, np.ndarray]:
    """Weight (bins, mels) and bias (bins,) that draw log magnitudes through normalised log mels, taking the
    spectrum within a band as flat."""
    centres = hertz_of(np.linspace(mel_of(FORMAT.low), mel_of(FORMAT.high), FORMAT.mels + 2))[1:-1]
    bins = np.arange(FORMAT.bins) * FORMAT.rate / FORMAT.fft
    weight = np.stack([np.interp(bins, centres, row) for row in np.eye(FORMAT.mels)], 1)
    matrix = mel_matrix(FORMAT.rate, FORMAT.fft, FORMAT.mels, FORMAT.low, FORMAT.high)
    width = weight @ np.log(matrix.sum(1) * 4 / FORMAT.fft)
    return (weight * SPREAD).astype(np.float32), (CENTRE - width).astype(np.float32)


# --- export


class Frames(nn.Module):
    """mels and places (1, frames, mels), lobes (1, frames, tonal) and the states -> the parts of their spectra,
    and the states after."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, mels: Tensor, places: Tensor, lobes: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        parts, after = self.network(mels, places, lobes, states)
        return (parts, *after)


def graphs(network: Network) -> dict[str, Graph]:
    """id -> module, example inputs, ports in and out, for `training.export`."""
    pairs, tonal = states(network), network.config.tonal_bins
    sizes = {"mels": FORMAT.mels, "places": FORMAT.mels, "lobes": tonal}
    example = [torch.zeros(1, 4, size) for size in sizes.values()]
    ins = [Port(name, "condition", (1, -1, size)) for name, size in sizes.items()]
    out = Port("parts", "hidden", (1, -1, 2 * FORMAT.bins + 2 * tonal))
    return {
        "frames": (
            Frames(network),
            (*example, *network.initial(1)),
            [*ins, *(Port(s.input, "state", s.shape) for s in pairs)],
            [out, *(Port(s.output, "state", s.shape) for s in pairs)],
        )
    }


def states(network: Network) -> tuple[StatePair, ...]:
    """The state pairs of the graph."""
    names = ["entry", *(f"block_{i}" for i in range(network.config.layers))]
    shapes = [tuple(state.shape) for state in network.initial(1)]
    return tuple(StatePair(n, f"{n}_after", shape) for n, shape in zip(names, shapes, strict=True))
