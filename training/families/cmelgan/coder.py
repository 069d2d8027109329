"""Some mel frames as a few codes, by linear algebra: principal components, then residual vector
quantisation with codebooks found by k-means."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Coder(nn.Module):
    """Mels to codes and back, found from mels and not trained. A latent frame z (..., dims) is the principal
    components of `stride` mel frames; it is the sum of one vector of each book."""

    def __init__(self, stride: int, mels: int, dims: int, groups: int, codes: int) -> None:
        """stride: mel frames in a latent frame; dims: its components; groups: codes of it; codes: values of each."""
        super().__init__()
        size = stride * mels
        self.shape = (stride, mels)
        self.mean = nn.Parameter(torch.zeros(size), requires_grad=False)
        self.basis = nn.Parameter(torch.zeros(dims, size), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(dims), requires_grad=False)  # brings components to about one
        self.books = nn.Parameter(torch.zeros(groups, codes, dims), requires_grad=False)

    @property
    def found(self) -> bool:
        """Whether `find` was called, now or before it was kept."""
        return bool(self.basis.any())

    @torch.no_grad()
    def find(self, mels: Tensor) -> Tensor:
        """From two latent frames' worth of mels each (count, 2 * stride, mels), drawn evenly from all music. Returns
        the variances (groups, dims) of what a code leaves over, and of the step from frame to frame."""
        flat = mels.unflatten(1, (2, -1)).flatten(0, 1).flatten(1).double()
        mean = flat.mean(0)
        variances, vectors = torch.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
        last = len(variances) - 1
        order = torch.arange(last, last - len(self.basis), -1, device=mels.device)
        self.mean.copy_(mean)
        self.basis.copy_(vectors.T[order])
        self.scale.copy_(variances[order].clamp(min=1e-4) ** -0.25)
        components = self.components(mels)
        left = components[:, 0]
        moved = (components[:, 1] - left).var(0)
        found = []
        for book in self.books:
            book.copy_(k_means(left, book.shape[0]))
            left = left - book[nearest(left, book)]
            found.append(left.var(0) + moved)
        return torch.stack(found)

    def components(self, mels: Tensor) -> Tensor:
        """mels (batch, frames, mels) -> z (batch, latent frames, dims), not yet a sum of vectors."""
        flat = mels.unflatten(1, (-1, self.shape[0])).flatten(2)
        return (flat - self.mean) @ self.basis.T

    def codes(self, mels: Tensor) -> Tensor:
        """mels (batch, frames, mels) -> codes (batch, latent frames, groups)."""
        left = self.components(mels)
        found = []
        for book in self.books:
            found.append(nearest(left, book))
            left = left - book[found[-1]]
        return torch.stack(found, -1)

    def points(self, codes: Tensor) -> Tensor:
        """Codes (..., groups) -> z (..., dims)."""
        found = [book[code] for book, code in zip(self.books, codes.unbind(-1), strict=True)]
        return torch.stack(found).sum(0)

    def mels(self, z: Tensor) -> Tensor:
        """z (batch, latent frames, dims) -> mels (batch, frames, mels): the nearest ones."""
        return (z @ self.basis + self.mean).unflatten(-1, self.shape).flatten(1, 2)


def nearest(x: Tensor, book: Tensor) -> Tensor:
    """Which vector of a book (codes, dims) is nearest to each of x (..., dims)."""
    return (book.square().sum(-1) - 2 * x @ book.T).argmin(-1)


def k_means(x: Tensor, count: int, rounds: int = 10) -> Tensor:
    """Means (count, dims) of clusters of x (rows, dims); fewer than `count` rows are repeated."""
    generator = torch.Generator().manual_seed(0)
    some = torch.randint(len(x), (rounds, count), generator=generator).to(x.device)
    first = torch.randperm(len(x), generator=generator)[:count].to(x.device) if len(x) >= count else some[0]
    means = x[first].clone()
    for other in some:
        nearby = nearest(x, means)
        sums = torch.zeros_like(means).index_add_(0, nearby, x)
        sizes = torch.bincount(nearby, minlength=count)[:, None]
        means = torch.where(sizes > 0, sums / sizes.clamp(min=1), x[other])
    return means
