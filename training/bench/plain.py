"""Plain training loops to compare with: tokens in, the next token out, AdamW, nothing else.

The LSTM is an embedding, `nn.LSTM` and a linear layer. The Transformer is written after nanoGPT (Karpathy, 2022):
blocks of `scaled_dot_product_attention` and a feedforward layer of four times the width, each behind a layer norm.
Their vocabularies are as large as makes them have as many parameters as the network that they are compared with.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PlainLstm(nn.Module):
    """config: of the family `lstm`."""

    def __init__(self, config: Any, parameters: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(config.inputs, config.units, config.layers, batch_first=True, dropout=config.dropout)
        left = parameters - sum(p.numel() for p in self.lstm.parameters())
        self.vocabulary = max(2, left // (config.inputs + config.units + 1))
        self.embedding = nn.Embedding(self.vocabulary, config.inputs)
        self.out = nn.Linear(config.units, self.vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (batch, steps, vocabulary) of tokens (batch, steps)."""
        return self.out(self.lstm(self.embedding(tokens))[0])


class Block(nn.Module):
    """Attention and a feedforward layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asked, self.found = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.wide = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (batch, steps, width)."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.asked(self.first(x)).chunk(3, -1)
        )
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.found(attended.transpose(1, 2).flatten(2))
        return x + self.narrow(F.gelu(self.wide(self.second(x))))


class PlainTransformer(nn.Module):
    """config: of the family `transformer`."""

    def __init__(self, config: Any, parameters: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(config.width, config.query_heads) for _ in range(config.layers)))
        self.places = nn.Embedding(config.context, config.width)
        self.norm = nn.LayerNorm(config.width)
        left = parameters - sum(p.numel() for p in self.parameters())
        self.vocabulary = max(2, left // (2 * config.width))
        self.embedding = nn.Embedding(self.vocabulary, config.width)
        self.out = nn.Linear(config.width, self.vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (batch, steps, vocabulary) of tokens (batch, steps)."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        return self.out(self.norm(self.blocks(self.embedding(tokens) + self.places(places))))


class PlainLoop:
    """Trains a plain network on random tokens, made beforehand."""

    def __init__(self, network: PlainLstm | PlainTransformer, batch_size: int, steps: int) -> None:
        self.network = network
        self.optimiser = torch.optim.AdamW(network.parameters(), fused=True)
        self.tokens = torch.randint(network.vocabulary, (batch_size, steps + 1))

    def step(self) -> None:
        """One batch."""
        logits = self.network(self.tokens[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), self.tokens[:, 1:].flatten())
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
