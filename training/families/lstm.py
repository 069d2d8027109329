"""The recurrent note model: an LSTM of one step a note, with the heads of `families.notes`.

Hochreiter & Schmidhuber 1997; heads in sequence after Notochord (Shepardson et al., 2022); lookback
features after Magenta's Lookback RNN (Waite, 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from instrument.models.conditions import condition_size
from training.families.notes import ECHOES, SEEN, Heads, contexts, width

State = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Config:
    """layers, units: of the LSTM; inputs: width of its input; head: hidden width of a head; dropout: of
    inputs and outputs while training."""

    layers: int = 2
    units: int = 448
    inputs: int = 256
    head: int = 160
    dropout: float = 0.1


class Network(nn.Module):
    """The model. genres: how many genres its condition tells."""

    def __init__(self, config: Config, genres: int) -> None:
        super().__init__()
        self.config, self.genres = config, genres
        condition = condition_size(genres)
        self.inputs = nn.Linear(width(SEEN) + ECHOES + condition, config.inputs)
        self.lstm = nn.LSTM(
            config.inputs, config.units, config.layers, batch_first=True, dropout=config.dropout
        )
        self.dropout = nn.Dropout(config.dropout)
        self.heads = Heads(config.units, config.head, condition)
        for name, weight in self.lstm.named_parameters():
            if "weight_hh" in name:
                for gate in weight.data.chunk(4):
                    nn.init.orthogonal_(gate)
            elif "bias_ih" in name:
                weight.data.zero_()
                weight.data[config.units : 2 * config.units] = 1.0  # remember at first
            elif "bias_hh" in name:
                weight.data.zero_()

    def initial(self, lanes: int) -> State:
        """States before the start of a piece, (layers, lanes, units) each."""
        shape = (self.config.layers, lanes, self.config.units)
        weight = self.inputs.weight
        return weight.new_zeros(shape), weight.new_zeros(shape)

    def embed(self, seen: Tensor, condition: Tensor) -> Tensor:
        """The LSTM's input (..., inputs) of seen (..., 12) and condition (..., size)."""
        events, matches = seen.split([len(SEEN), ECHOES], -1)
        return self.inputs(torch.cat([self.heads.embeddings(SEEN, events), matches.float(), condition], -1))

    def forward(
        self, batch: dict[str, Tensor], condition: Tensor, state: State
    ) -> tuple[dict[str, Tensor], State]:
        """Logits of every field, (lanes, steps, classes), and the states after the last step."""
        output, state = self.lstm(self.dropout(self.embed(batch["seen"], condition)), state)
        shares = self.heads.shares(self.dropout(output), condition)
        told = contexts(batch)
        logits = {
            name: self.heads.logits(name, share, told[name]) for name, share in zip(told, shares, strict=True)
        }
        return logits, state
