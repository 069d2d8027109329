"""The optimiser of the Transformer's matrices."""

from __future__ import annotations

import torch
from torch import nn

from training.core import checkpoint
from training.core.muon import Muon


def test_matrices_go_by_muon_and_all_else_by_adam():
    torch.manual_seed(1)
    layer = nn.Linear(8, 4)
    twin = nn.Linear(8, 4)
    twin.load_state_dict(layer.state_dict())
    muon = Muon(layer.parameters(), [layer.weight], 2.0, lr=0.01, weight_decay=0.0)
    adam = torch.optim.AdamW(twin.parameters(), lr=0.01, weight_decay=0.0)
    start = layer.weight.detach().clone()
    x = torch.randn(16, 8)
    for one, by in ((layer, muon), (twin, adam)):
        one(x).square().sum().backward()
        by.step()
    torch.testing.assert_close(layer.bias, twin.bias)
    step = layer.weight.detach() - start
    assert 0.5 < step.square().mean().sqrt() / (2.0 * 0.01 * 0.2 * (8 / 8) ** 0.5) < 1.3
    assert set(muon.state[layer.weight]) == {"momentum_buffer"}
    left, _, right = torch.linalg.svd(muon.state[layer.weight]["momentum_buffer"], full_matrices=False)
    assert torch.cosine_similarity(-step.flatten(), (left @ right).flatten(), 0) > 0.9


def test_its_state_is_kept_also_as_version_0_1_named_it():
    torch.manual_seed(1)
    layer, again = nn.Linear(8, 4), nn.Linear(8, 4)
    again.load_state_dict(layer.state_dict())
    muon, other = (Muon(one.parameters(), [one.weight], 2.0, lr=0.01) for one in (layer, again))
    x = torch.randn(16, 8)
    layer(x).square().sum().backward()
    muon.step()
    again.load_state_dict(layer.state_dict())
    kept = {name: tensor.clone() for name, tensor in checkpoint.optimiser_tensors(muon, layer).items()}
    assert "optimiser.weight.momentum_buffer" in kept
    kept["optimiser.weight.momentum"] = kept.pop("optimiser.weight.momentum_buffer")
    checkpoint.restore_optimiser(other, again, kept)
    for one, by in ((layer, muon), (again, other)):
        one.zero_grad()
        one(x).square().sum().backward()
        by.step()
    torch.testing.assert_close(layer.weight, again.weight)


def test_it_learns_what_adam_learns():
    torch.manual_seed(1)
    target, x = torch.randn(6, 12), torch.randn(256, 12)
    layer = nn.Linear(12, 6, bias=False)
    muon = Muon(layer.parameters(), [layer.weight], 1.0, lr=0.05, weight_decay=0.0)
    losses = []
    for at in range(200):
        muon.param_groups[0]["lr"] = 0.1 * (1 - at / 200)
        loss = (layer(x) - x @ target.T).square().mean()
        muon.zero_grad()
        loss.backward()
        muon.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.01 * losses[0]
