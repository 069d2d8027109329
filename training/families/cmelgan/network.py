"""The endless genre stream: a conditional mel GAN whose latent frames are codes that a prior goes on drawing.

After MelGAN (Kumar et al., 2019) and its genre-conditional descendant: transposed convolutions with weight norm,
dilated residual blocks, the genre's embedding multiplied in, a projection critic with grouped convolutions. Two
departures: everything is 1-D over time and causal; and a latent frame is no white noise. It is what a coder (principal
components of eight mel frames, then vectors of k-means, each for what the one before left over) makes of music, found
at once instead of learnt; the generator begins as its inverse, to which the critic teaches the rest; and a recurrent
prior draws code after code. A style, constant in training, moves from Gaussian anchor to anchor while playing (Musika,
Pasini & Schlüter, 2022): it never ends.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from instrument.models.manifest import Port, State
from training.core.graphs import Graph
from training.families.cmelgan.coder import Coder

KERNEL = 3
SLOPE = 0.2  # of leaky rectifiers


@dataclass(frozen=True, slots=True)
class Config:
    """mels: of a frame; widths: channels of the generator at each rate, from latent frames (of 2 ** (widths - 1)
    mel frames) to mel frames; dilations: of the blocks at each rate; dims: components of a latent frame; groups: codes
    of one; codes: values of each; style: its size; units: of the prior; head: hidden width of its heads; dropout: of
    the prior's inputs and outputs while training."""

    mels: int = 96
    widths: tuple[int, ...] = (128, 96, 80, 64)
    dilations: tuple[int, ...] = (1, 3)
    dims: int = 64
    groups: int = 6
    codes: int = 128
    style: int = 16
    units: int = 192
    head: int = 96
    dropout: float = 0.1

    @property
    def stride(self) -> int:
        """Mel frames in a latent frame."""
        return 1 << (len(self.widths) - 1)


def per_frame(x: Tensor) -> Tensor:
    """x (lanes, channels, frames), each frame of unit power: a norm that looks at no other frame."""
    return x * torch.rsqrt((x * x).mean(1, keepdim=True) + 1e-5)


class Block(nn.Module):
    """A causal dilated residual block, scaled and shifted by the genre."""

    def __init__(self, width: int, dilation: int, condition: int) -> None:
        super().__init__()
        self.past = (KERNEL - 1) * dilation
        self.dilated = weight_norm(nn.Conv1d(width, width, KERNEL, dilation=dilation))
        self.out = weight_norm(nn.Conv1d(width, width, 1))
        self.film = nn.Linear(condition, 2 * width)
        nn.init.normal_(self.film.weight, std=0.02)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, condition: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        """x (lanes, width, frames), condition (lanes, latent frames, size), cache (lanes, width, past) -> the same
        of x and of the cache."""
        film = stretched(self.film(condition).transpose(1, 2), x.shape[-1] // condition.shape[1])
        scale, shift = film.chunk(2, 1)
        h = torch.cat([cache, F.leaky_relu(per_frame(x) * (1 + scale) + shift, SLOPE)], -1)
        return x + self.out(F.leaky_relu(self.dilated(h), SLOPE)), h[..., -self.past :]


def stretched(x: Tensor, times: int) -> Tensor:
    """x (lanes, channels, frames), each frame `times` over."""
    lanes, channels, frames = x.shape
    return x[..., None].expand(lanes, channels, frames, times).reshape(lanes, channels, frames * times)


class Generator(nn.Module):
    """What the coder's mels lack, from latent frames (scaled to about one), causally."""

    def __init__(self, config: Config, genres: int) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.enter = nn.Conv1d(config.dims, widths[0], 1)
        self.genre = nn.Linear(genres, widths[0], bias=False)
        nn.init.normal_(self.genre.weight, std=0.1)
        self.rises = nn.ModuleList(weight_norm(nn.ConvTranspose1d(a, b, 2, 2)) for a, b in itertools.pairwise(widths))
        self.blocks = nn.ModuleList(
            nn.ModuleList(Block(width, dilation, genres) for dilation in config.dilations) for width in widths
        )
        self.leave = weight_norm(nn.Conv1d(widths[-1], config.mels, KERNEL))
        with torch.no_grad():
            self.leave.parametrizations.weight.original0.zero_()  # begins with nothing to add
            self.leave.bias.zero_()  # type: ignore[union-attr]

    def caches(self) -> list[tuple[int, int]]:
        """(channels, frames) of every cache."""
        config = self.config
        shapes = [(width, (KERNEL - 1) * d) for width in config.widths for d in config.dilations]
        return [*shapes, (config.widths[-1], KERNEL - 1)]

    def initial(self, lanes: int) -> list[Tensor]:
        """Caches before the start."""
        return [self.enter.weight.new_zeros(lanes, *shape) for shape in self.caches()]

    def forward(self, z: Tensor, genre: Tensor, caches: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """z (lanes, latent frames, dims), genre (lanes, latent frames, genres) -> mels (lanes, frames, mels) and
        the caches after them."""
        caches = self.initial(len(z)) if caches is None else caches
        x = self.enter(z.transpose(1, 2)) * (1 + self.genre(genre).transpose(1, 2))
        after: list[Tensor] = []
        for i, blocks in enumerate(self.blocks):
            if i:
                x = self.rises[i - 1](F.leaky_relu(x, SLOPE))
            for block in blocks:  # type: ignore[attr-defined]
                x, cache = block(x, genre, caches[len(after)])
                after.append(cache)
        h = torch.cat([caches[-1], F.leaky_relu(per_frame(x), SLOPE)], -1)
        return self.leave(h).transpose(1, 2), [*after, h[..., -(KERNEL - 1) :]]


class Prior(nn.Module):
    """Draws the codes of the next latent frame from those before, style and genre. Each code's logits are those of a
    Gaussian about a guess of the frame, at first the frame before, and others added to them."""

    def __init__(self, config: Config, genres: int) -> None:
        super().__init__()
        self.config = config
        told, groups = config.style + genres, config.groups
        self.enter = nn.Linear(config.dims, config.units)
        self.genre = nn.Linear(genres, config.units, bias=False)
        self.style = nn.Linear(told, config.units)
        self.gru = nn.GRU(config.units, config.units, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.share = nn.Linear(config.units + config.dims + told, groups * config.head)
        self.drawn = nn.ModuleList(nn.Linear(config.dims, config.head, bias=False) for _ in range(groups - 1))
        self.move = nn.ModuleList(nn.Linear(config.head, config.dims) for _ in range(groups))
        self.out = nn.ModuleList(nn.Linear(config.head, config.codes) for _ in range(groups))
        self.precision = nn.Parameter(torch.zeros(groups, config.dims))  # its logarithm
        for layer in (*self.move, *self.out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def embed(self, before: Tensor, style: Tensor, genre: Tensor) -> Tensor:
        """Input (..., units) from the scaled latent frame before (..., dims), style and genre."""
        told = F.leaky_relu(self.enter(before), SLOPE) * (1 + self.genre(genre))
        return told + self.style(torch.cat([style, genre], -1))

    def shares(self, hidden: Tensor, before: Tensor, style: Tensor, genre: Tensor) -> Tensor:
        """What the heads know of the frames before, (..., groups, head)."""
        share = self.share(torch.cat([hidden, before, style, genre], -1))
        return share.unflatten(-1, (self.config.groups, self.config.head))

    def logits(self, group: int, share: Tensor, before: Tensor, drawn: Tensor, book: Tensor, scale: Tensor) -> Tensor:
        """Of one code (..., codes), from its share, the frame before and the sum of this frame's vectors so far (...,
        dims), neither of them scaled, and the book that the code is of."""
        if group:
            share = share + self.drawn[group - 1](drawn * scale)
        x = F.leaky_relu(share, SLOPE)
        missing = before + self.move[group](x) / scale - drawn
        precision = self.precision[group].exp()
        near = (missing * precision) @ book.T - 0.5 * (book * book) @ precision
        return near + self.out[group](x)

    def forward(self, before: Tensor, drawn: Tensor, style: Tensor, genre: Tensor, coder: Coder) -> Tensor:
        """Logits (lanes, frames, groups, codes), told all that stood before each code: latent frames before (lanes,
        frames, dims), sums of vectors within the frame (lanes, frames, groups, dims)."""
        scaled = before * coder.scale
        hidden, _ = self.gru(self.dropout(self.embed(scaled, style, genre)))
        shares = self.shares(self.dropout(hidden), scaled, style, genre)
        each = zip(shares.unbind(-2), drawn.unbind(-2), coder.books, strict=True)
        found = [self.logits(g, s, before, sums, book, coder.scale) for g, (s, sums, book) in enumerate(each)]
        return torch.stack(found, -2)


class Styling(nn.Module):
    """Latent frames of some seconds to what is constant in them: mean and log deviation of a style."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.enter = nn.Conv1d(config.dims, 96, 5, padding=2)
        self.middle = nn.Conv1d(96, 96, 5, padding=2)
        self.out = nn.Linear(2 * 96, 2 * config.style)
        self.out.weight.data *= 0.3

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z (lanes, latent frames, dims) -> (lanes, style) each."""
        x = F.leaky_relu(self.enter(z.transpose(1, 2)), SLOPE)
        x = F.leaky_relu(self.middle(x), SLOPE)
        mean, deviation = self.out(torch.cat([x.mean(-1), x.std(-1)], -1)).chunk(2, -1)
        return mean, deviation.clamp(-4, 1)


class Network(nn.Module):
    """All that is trained but the critic. genres: how many it is told."""

    def __init__(self, config: Config, genres: int) -> None:
        super().__init__()
        self.config, self.genres = config, genres
        self.coder = Coder(config.stride, config.mels, config.dims, config.groups, config.codes)
        self.generator = Generator(config, genres)
        self.prior = Prior(config, genres)
        self.styling = Styling(config)

    @torch.no_grad()
    def find(self, mels: Tensor) -> None:
        """Find the coder (see `Coder.find`), and what the prior begins with: that frames are like those before."""
        self.prior.precision.copy_(-torch.log(self.coder.find(mels).clamp(min=1e-3)))

    def scaled(self, codes: Tensor) -> Tensor:
        """Codes (..., groups) as latent frames of components of about one, (..., dims): what all networks are told."""
        return self.coder.points(codes) * self.coder.scale

    def draw(self, codes: Tensor, genre: Tensor, caches: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """Codes (lanes, latent frames, groups), genre (lanes, latent frames, genres) -> mels (lanes, frames, mels), and
        the generator's caches after them."""
        z = self.coder.points(codes)
        more, after = self.generator(z * self.coder.scale, genre, caches)
        return self.coder.mels(z) + more, after

    def styles(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log deviation (lanes, style) of the styles of codes (lanes, latent frames, groups)."""
        return self.styling(self.scaled(codes))

    def logits(self, codes: Tensor, before: Tensor, style: Tensor, genre: Tensor) -> Tensor:
        """Of codes (lanes, frames, groups), told the codes `before` each frame, of frames 1 on; style and genre (lanes,
        frames, ...): (lanes, frames, groups, codes)."""
        books = self.coder.books
        vectors = [book[code] for book, code in zip(books[:-1], codes[..., :-1].unbind(-1), strict=True)]
        sums = F.pad(torch.stack(vectors, -2).cumsum(-2), (0, 0, 1, 0))
        told = F.pad(self.coder.points(before), (0, 0, 1, 0))
        return self.prior(told, sums, style, genre, self.coder)

    @torch.no_grad()
    def dream(self, before: Tensor, style: Tensor, genre: Tensor, frames: int) -> Tensor:
        """Go on after codes `before` (lanes, n, groups), n may be 0, in a style (lanes, style) and a genre (lanes,
        genres): codes (lanes, frames, groups), drawn by torch's generator."""
        step, lanes = Step(self), len(style)
        hidden = style.new_zeros(lanes, self.config.units)
        z = style.new_zeros(lanes, self.config.dims)
        for codes in before.unbind(1):
            hidden = step.advance(z, style, genre, hidden)
            z = self.coder.points(codes)
        found = []
        for _ in range(frames):
            hidden, codes, z = step.go_on(z, style, genre, 1.0, gumbel(lanes, self.config, style.device), hidden)
            found.append(codes)
        return torch.stack(found, 1)


def gumbel(lanes: int, config: Config, device: torch.device | str = "cpu") -> Tensor:
    """Noise to draw codes by."""
    return -torch.log(-torch.log(torch.rand(lanes, config.groups, config.codes, device=device).clamp(1e-20, 1 - 1e-7)))


# --- export: one graph, a latent frame a step, with all memory as its states


class Step(nn.Module):
    """The next latent frame. The recurrent layer's gates are written out, so that it is two products."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        gru, units = network.prior.gru, network.config.units
        self.told = nn.Linear(units, 3 * units, device="meta")
        self.kept = nn.Linear(units, 3 * units, device="meta")
        self.told.weight, self.told.bias = gru.weight_ih_l0, gru.bias_ih_l0
        self.kept.weight, self.kept.bias = gru.weight_hh_l0, gru.bias_hh_l0
        # One book a matrix and its components about one, so that they lose little in 8 bits.
        self.even = network.coder.scale.detach() ** 2
        self.books = nn.ParameterList(book * self.even for book in network.coder.books.detach())

    def advance(self, z: Tensor, style: Tensor, genre: Tensor, hidden: Tensor) -> Tensor:
        """The prior's state after it was told the latent frame before, z (lanes, dims)."""
        x = self.network.prior.embed(z * self.network.coder.scale, style, genre)
        reset, keep, new = self.told(x).chunk(3, -1)
        reset_kept, keep_kept, new_kept = self.kept(hidden).chunk(3, -1)
        keep = torch.sigmoid(keep + keep_kept)
        new = torch.tanh(new + torch.sigmoid(reset + reset_kept) * new_kept)
        return (1 - keep) * new + keep * hidden

    def go_on(
        self,
        z: Tensor,
        style: Tensor,
        genre: Tensor,
        temperature: Tensor | float,
        noise: Tensor,
        hidden: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The state, the next frame's codes (lanes, groups), the largest of logits / temperature + noise, and z."""
        prior, coder = self.network.prior, self.network.coder
        hidden = self.advance(z, style, genre, hidden)
        shares = prior.shares(hidden, z * coder.scale, style, genre)
        after = torch.zeros_like(z)
        drawn = []
        for group, evened in enumerate(self.books):
            book = evened / self.even
            logits = prior.logits(group, shares[:, group], z, after, book, coder.scale)
            drawn.append((logits / temperature + noise[:, group]).argmax(-1))
            after = after + book[drawn[-1]]
        return hidden, torch.stack(drawn, -1), after

    def forward(
        self,
        style: Tensor,
        genre: Tensor,
        temperature: Tensor,
        noise: Tensor,
        before: Tensor,
        hidden: Tensor,
        *caches: Tensor,
    ) -> tuple[Tensor, ...]:
        """style (lanes, style), genre (lanes, genres), temperature (lanes, 1), noise (lanes, groups, codes), the
        latent frame before (lanes, dims), the prior's state, the generator's caches -> mels (lanes, stride, mels),
        latent frame, state and caches after."""
        network = self.network
        hidden, _, z = self.go_on(before, style, genre, temperature, noise, hidden)
        more, after = network.generator((z * network.coder.scale)[:, None], genre[:, None], list(caches))
        return network.coder.mels(z[:, None]) + more, z, hidden, *after


def copied(network: Network) -> Network:
    """Another with the same parameters: copies by `deepcopy` lose weight norm together."""
    other = Network(network.config, network.genres)
    other.load_state_dict(network.state_dict())
    return other.eval()


def graphs(network: Network) -> dict[str, Graph]:
    """id -> module, example inputs, ports in and out, for `training.export`."""
    config, lanes = network.config, 2
    network = copied(network)
    for module in list(network.generator.modules()):
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
    pairs = states(network)
    inputs = (
        torch.zeros(lanes, config.style),
        torch.zeros(lanes, network.genres),
        torch.ones(lanes, 1),
        torch.zeros(lanes, config.groups, config.codes),
        *(torch.zeros(lanes, *pair.shape[1:]) for pair in pairs),
    )
    ins = [
        Port("style", "latent", (-1, config.style)),
        Port("genre", "condition", (-1, network.genres)),
        Port("temperature", "condition", (-1, 1)),
        Port("noise", "latent", (-1, config.groups, config.codes)),
        *(Port(pair.input, "state", pair.shape) for pair in pairs),
    ]
    outs = [
        Port("mels", "audio", (-1, config.stride, config.mels)),
        *(Port(pair.output, "state", pair.shape) for pair in pairs),
    ]
    return {"step": (Step(network), inputs, ins, outs)}


def states(network: Network) -> tuple[State, ...]:
    """The state pairs of the step graph."""
    config = network.config
    shapes: dict[str, tuple[int, ...]] = {"before": (-1, config.dims), "hidden": (-1, config.units)}
    shapes |= {f"cache_{i}": (-1, *shape) for i, shape in enumerate(network.generator.caches())}
    return tuple(State(name, f"{name}_after", shape) for name, shape in shapes.items())
