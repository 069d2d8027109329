"""Generator and prior of `cmelgan`, and the graph of its bundle."""

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
from training.core.ranges import BelowOne, Count
from training.families.cmelgan.coder import Coder

KERNEL = 3
SLOPE = 0.2  # of leaky rectifiers


@dataclass(frozen=True, slots=True)
class Config:
    """mels: of a frame; widths: channels of the generator at each rate, from latent frames (of 2 ** (widths - 1) mel
    frames) to mel frames; dilations: of the blocks at each rate; components: principal components of a latent frame;
    codebooks: codes of a latent frame; codebook_size: values of a code; style: size of the style latent; units: of the
    prior; head: hidden width of its heads; dropout: of the prior's inputs and outputs while training."""

    mels: Count = 96
    widths: tuple[Count, ...] = (128, 96, 80, 64)
    dilations: tuple[Count, ...] = (1, 3)
    components: Count = 64
    codebooks: Count = 6
    codebook_size: Count = 128
    style: Count = 16
    units: Count = 192
    head: Count = 96
    dropout: BelowOne = 0.1

    @property
    def stride(self) -> int:
        """Mel frames in a latent frame."""
        return 1 << (len(self.widths) - 1)


def per_frame(x: Tensor) -> Tensor:
    """x (batch, channels, frames), each frame of unit power: a norm that looks at no other frame."""
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
        """x (batch, width, frames), condition (batch, latent frames, size), cache (batch, width, past) -> the same
        of x and of the cache."""
        film = stretched(self.film(condition).transpose(1, 2), x.shape[-1] // condition.shape[1])
        scale, shift = film.chunk(2, 1)
        h = torch.cat([cache, F.leaky_relu(per_frame(x) * (1 + scale) + shift, SLOPE)], -1)
        return x + self.out(F.leaky_relu(self.dilated(h), SLOPE)), h[..., -self.past :]


def stretched(x: Tensor, times: int) -> Tensor:
    """x (batch, channels, frames), each frame `times` over."""
    batch_size, channels, frames = x.shape
    return x[..., None].expand(batch_size, channels, frames, times).reshape(batch_size, channels, frames * times)


class Generator(nn.Module):
    """The residual to the coder's mels, from latent frames (scaled to about one), causally."""

    def __init__(self, config: Config, genres: int) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.enter = nn.Conv1d(config.components, widths[0], 1)
        self.genre = nn.Linear(genres, widths[0], bias=False)
        nn.init.normal_(self.genre.weight, std=0.1)
        self.rises = nn.ModuleList(weight_norm(nn.ConvTranspose1d(a, b, 2, 2)) for a, b in itertools.pairwise(widths))
        self.blocks = nn.ModuleList(
            nn.ModuleList(Block(width, dilation, genres) for dilation in config.dilations) for width in widths
        )
        self.leave = weight_norm(nn.Conv1d(widths[-1], config.mels, KERNEL))
        with torch.no_grad():
            self.leave.parametrizations.weight.original0.zero_()  # its output is 0 at first
            self.leave.bias.zero_()  # type: ignore[union-attr]

    def caches(self) -> list[tuple[int, int]]:
        """(channels, frames) of every cache."""
        config = self.config
        shapes = [(width, (KERNEL - 1) * d) for width in config.widths for d in config.dilations]
        return [*shapes, (config.widths[-1], KERNEL - 1)]

    def initial(self, batch_size: int) -> list[Tensor]:
        """Caches before the start."""
        return [self.enter.weight.new_zeros(batch_size, *shape) for shape in self.caches()]

    def forward(self, z: Tensor, genre: Tensor, caches: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """z (batch, latent frames, dims), genre (batch, latent frames, genres) -> mels (batch, frames, mels) and
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
        conditions, groups = config.style + genres, config.codebooks
        self.enter = nn.Linear(config.components, config.units)
        self.genre = nn.Linear(genres, config.units, bias=False)
        self.style = nn.Linear(conditions, config.units)
        self.gru = nn.GRU(config.units, config.units, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.share = nn.Linear(config.units + config.components + conditions, groups * config.head)
        self.drawn = nn.ModuleList(nn.Linear(config.components, config.head, bias=False) for _ in range(groups - 1))
        self.move = nn.ModuleList(nn.Linear(config.head, config.components) for _ in range(groups))
        self.out = nn.ModuleList(nn.Linear(config.head, config.codebook_size) for _ in range(groups))
        self.precision = nn.Parameter(torch.zeros(groups, config.components))  # its logarithm
        for layer in (*self.move, *self.out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def embed(self, before: Tensor, style: Tensor, genre: Tensor) -> Tensor:
        """Input (..., units) from the scaled latent frame before (..., dims), style and genre."""
        frame = F.leaky_relu(self.enter(before), SLOPE) * (1 + self.genre(genre))
        return frame + self.style(torch.cat([style, genre], -1))

    def shares(self, hidden: Tensor, before: Tensor, style: Tensor, genre: Tensor) -> Tensor:
        """The heads' inputs from the frames before, (..., groups, head)."""
        share = self.share(torch.cat([hidden, before, style, genre], -1))
        return share.unflatten(-1, (self.config.codebooks, self.config.head))

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
        """Logits (batch, frames, groups, codes), given all that stood before each code: latent frames before (batch,
        frames, dims), sums of vectors within the frame (batch, frames, groups, dims)."""
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
        self.enter = nn.Conv1d(config.components, 96, 5, padding=2)
        self.middle = nn.Conv1d(96, 96, 5, padding=2)
        self.out = nn.Linear(2 * 96, 2 * config.style)
        self.out.weight.data *= 0.3

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z (batch, latent frames, dims) -> (batch, style) each."""
        x = F.leaky_relu(self.enter(z.transpose(1, 2)), SLOPE)
        x = F.leaky_relu(self.middle(x), SLOPE)
        mean, deviation = self.out(torch.cat([x.mean(-1), x.std(-1)], -1)).chunk(2, -1)
        return mean, deviation.clamp(-4, 1)


class Network(nn.Module):
    """All that is trained but the critic. genres: how many its condition distinguishes."""

    def __init__(self, config: Config, genres: int) -> None:
        super().__init__()
        self.config, self.genres = config, genres
        self.coder = Coder(config.stride, config.mels, config.components, config.codebooks, config.codebook_size)
        self.generator = Generator(config, genres)
        self.prior = Prior(config, genres)
        self.styling = Styling(config)

    @torch.no_grad()
    def find(self, mels: Tensor) -> None:
        """Find the coder (see `Coder.find`), and what the prior begins with: that frames are like those before."""
        self.prior.precision.copy_(-torch.log(self.coder.find(mels).clamp(min=1e-3)))

    def scaled(self, codes: Tensor) -> Tensor:
        """Codes (..., groups) as latent frames of components of about one, (..., dims): the input of all networks."""
        return self.coder.points(codes) * self.coder.scale

    def draw(self, codes: Tensor, genre: Tensor, caches: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """Codes (batch, latent frames, groups), genre (batch, latent frames, genres) -> mels (batch, frames, mels), and
        the generator's caches after them."""
        z = self.coder.points(codes)
        more, after = self.generator(z * self.coder.scale, genre, caches)
        return self.coder.mels(z) + more, after

    def styles(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log deviation (batch, style) of the styles of codes (batch, latent frames, groups)."""
        return self.styling(self.scaled(codes))

    def logits(self, codes: Tensor, before: Tensor, style: Tensor, genre: Tensor) -> Tensor:
        """Of codes (batch, frames, groups), given those `before` each frame, of frames 1 on; style and genre (batch,
        frames, ...): (batch, frames, groups, codes)."""
        books = self.coder.books
        vectors = [book[code] for book, code in zip(books[:-1], codes[..., :-1].unbind(-1), strict=True)]
        sums = F.pad(torch.stack(vectors, -2).cumsum(-2), (0, 0, 1, 0))
        points = F.pad(self.coder.points(before), (0, 0, 1, 0))
        return self.prior(points, sums, style, genre, self.coder)

    @torch.no_grad()
    def generate(self, before: Tensor, style: Tensor, genre: Tensor, frames: int) -> Tensor:
        """Go on after codes `before` (batch, n, groups), n may be 0, in a style (batch, style) and a genre (batch,
        genres): codes (batch, frames, groups), drawn by torch's generator."""
        step, batch_size = Step(self), len(style)
        hidden = style.new_zeros(batch_size, self.config.units)
        z = style.new_zeros(batch_size, self.config.components)
        for codes in before.unbind(1):
            hidden = step.advance(z, style, genre, hidden)
            z = self.coder.points(codes)
        found = []
        for _ in range(frames):
            hidden, codes, z = step.go_on(z, style, genre, 1.0, gumbel(batch_size, self.config, style.device), hidden)
            found.append(codes)
        return torch.stack(found, 1)


def gumbel(batch_size: int, config: Config, device: torch.device | str = "cpu") -> Tensor:
    """Noise to draw codes by."""
    return -torch.log(
        -torch.log(torch.rand(batch_size, config.codebooks, config.codebook_size, device=device).clamp(1e-20, 1 - 1e-7))
    )


# --- export: one graph, a latent frame a step, with all memory as its states


class Step(nn.Module):
    """The next latent frame. The recurrent layer's gates are written out, so that it is two products."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        gru, units = network.prior.gru, network.config.units
        self.input_gates = nn.Linear(units, 3 * units, device="meta")
        self.state_gates = nn.Linear(units, 3 * units, device="meta")
        self.input_gates.weight, self.input_gates.bias = gru.weight_ih_l0, gru.bias_ih_l0
        self.state_gates.weight, self.state_gates.bias = gru.weight_hh_l0, gru.bias_hh_l0
        # One book a matrix and its components about one, so that they lose little in 8 bits.
        self.even = network.coder.scale.detach() ** 2
        self.books = nn.ParameterList(book * self.even for book in network.coder.books.detach())

    def advance(self, z: Tensor, style: Tensor, genre: Tensor, hidden: Tensor) -> Tensor:
        """The prior's state after the latent frame before, z (batch, dims)."""
        x = self.network.prior.embed(z * self.network.coder.scale, style, genre)
        reset, keep, new = self.input_gates(x).chunk(3, -1)
        reset_kept, keep_kept, new_kept = self.state_gates(hidden).chunk(3, -1)
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
        """The state, the next frame's codes (batch, groups), the largest of logits / temperature + noise, and z."""
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
        """style (batch, style), genre (batch, genres), temperature (batch, 1), noise (batch, groups, codes), the
        latent frame before (batch, dims), the prior's state, the generator's caches -> mels (batch, stride, mels),
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
    config, batch_size = network.config, 2
    network = copied(network)
    for module in list(network.generator.modules()):
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
    pairs = states(network)
    inputs = (
        torch.zeros(batch_size, config.style),
        torch.zeros(batch_size, network.genres),
        torch.ones(batch_size, 1),
        torch.zeros(batch_size, config.codebooks, config.codebook_size),
        *(torch.zeros(batch_size, *pair.shape[1:]) for pair in pairs),
    )
    ins = [
        Port("style", "latent", (-1, config.style)),
        Port("genre", "condition", (-1, network.genres)),
        Port("temperature", "condition", (-1, 1)),
        Port("noise", "latent", (-1, config.codebooks, config.codebook_size)),
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
    shapes: dict[str, tuple[int, ...]] = {"before": (-1, config.components), "hidden": (-1, config.units)}
    shapes |= {f"cache_{i}": (-1, *shape) for i, shape in enumerate(network.generator.caches())}
    return tuple(State(name, f"{name}_after", shape) for name, shape in shapes.items())
