"""The critic of mels: a patch critic and a projection critic (Miyato & Koyama, 2018) on one body of grouped, strided
convolutions over time, as MelGAN's have."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

SLOPE = 0.2


class Critic(nn.Module):
    """Scores windows of mels: each patch of some frames, and the whole window as music of a genre."""

    def __init__(self, mels: int, genres: int, width: int = 96) -> None:
        super().__init__()
        wide = 2 * width
        self.enter = weight_norm(nn.Conv1d(mels, width, 5, padding=2))
        self.near = nn.ModuleList(
            [
                weight_norm(nn.Conv1d(width, wide, 6, 2, padding=2, groups=4)),
                weight_norm(nn.Conv1d(wide, wide, 3, padding=1)),
            ]
        )
        self.patch = weight_norm(nn.Conv1d(wide, 1, 3, padding=1))
        self.far = nn.ModuleList(
            [
                weight_norm(nn.Conv1d(wide, wide, 8, 4, padding=2, groups=4)),
                weight_norm(nn.Conv1d(wide, wide, 8, 4, padding=2, groups=4)),
            ]
        )
        self.whole = weight_norm(nn.Linear(wide, 1))
        self.genre = nn.Linear(genres, wide, bias=False)
        nn.init.normal_(self.genre.weight, std=0.02)

    def forward(self, mels: Tensor, genre: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """mels (batch, frames, mels), genre (batch, genres) -> scores: of patches (batch, patches) and of whole
        windows (batch, 1); and the features of every layer."""
        x = F.leaky_relu(self.enter(mels.transpose(1, 2)), SLOPE)
        features = [x]
        for layer in self.near:
            x = F.leaky_relu(layer(x), SLOPE)
            features.append(x)
        patches = self.patch(x)[:, 0]
        for layer in self.far:
            x = F.leaky_relu(layer(x), SLOPE)
            features.append(x)
        x = x.mean(-1)
        whole = self.whole(x) + (x * self.genre(genre)).sum(-1, keepdim=True)
        return [patches, whole], features


def critic_loss(critic: Critic, real: Tensor, drawn: Tensor, genre: Tensor) -> Tensor:
    """Hinge loss of the critic. real: windows (batch, frames, mels); drawn: a multiple of these, genres repeated."""
    times = len(drawn) // len(real)
    ours, _ = critic(torch.cat([real, drawn]), genre.repeat(1 + times, 1))
    return torch.stack([F.relu(1 - j[: len(real)]).mean() + F.relu(1 + j[len(real) :]).mean() for j in ours]).sum()


def generator_losses(critic: Critic, real: Tensor, drawn: Tensor, genre: Tensor) -> tuple[Tensor, Tensor]:
    """The generator's side: how far the critic is from being fooled, and how far its features of the first
    windows drawn, which redraw the real ones, are from those of the latter."""
    times = len(drawn) // len(real)
    judged, mine = critic(drawn, genre.repeat(times, 1))
    with torch.no_grad():
        _, theirs = critic(real, genre)
    fooled = -torch.stack([j.mean() for j in judged]).sum()
    matching = torch.stack([F.l1_loss(a[: len(real)], b) for a, b in zip(mine, theirs, strict=True)]).mean()
    return fooled, matching
