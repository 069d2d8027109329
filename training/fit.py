"""Training a model: plain PyTorch, seeded, resumable after any kill. The family defines its task (`families.task`).

A run is a folder: `last.safetensors` (all that resuming needs), `best.safetensors` (the averaged weights
that validated best), `log.jsonl` and TensorBoard's files.
"""

from __future__ import annotations

import json
import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from instrument.errors import HocketError
from training.core import checkpoint, renames
from training.core.muon import Muon
from training.core.recipe import Recipe
from training.families.notes import network as note_family
from training.families.table import FAMILIES
from training.families.task import Score, Task
from training.recipe import recipe_from, recipe_table
from training.weights import copy_shared_parameters, starting_weights, teacher_of

PRINT_SECONDS = 30.0


class Run:
    """One training run in `folder`; new (from the weights of `start`, if that is given: a checkpoint, a
    bundle's folder or its slug), or resumed."""

    def __init__(self, recipe: Recipe, folder: Path, device: str = "cpu", start: str | None = None) -> None:
        self.recipe, self.folder, self.device = recipe, folder, device
        self.family = FAMILIES[recipe.family]
        self.task: Task = self.family.task(recipe, device)
        self.genres = self.task.genres
        teacher = None
        if name := getattr(recipe.train, "teacher", ""):  # models of notes alone have one
            teacher = self.task.teacher = teacher_of(name, self.genres).to(device)
        torch.manual_seed(recipe.seed)
        self.network = self.family.network.Network(recipe.model, len(self.genres)).to(device)
        if teacher is not None:
            copy_shared_parameters(self.network, teacher)
        self.average = {n: p.detach().clone() for n, p in self.network.named_parameters()}
        inner = self.network.named_parameters() if recipe.train.muon_factor else ()
        self.optimiser = Muon(
            self.network.parameters(),
            [p for name, p in inner if name.startswith("layers.") and p.dim() == 2],
            recipe.train.muon_factor,
            lr=recipe.train.learning_rate,
            betas=recipe.train.betas,
            weight_decay=recipe.train.weight_decay,
            fused=True,
        )
        self.batch = 0
        self.seconds = 0.0
        self.best = math.inf
        self.ancestry: list[dict[str, Any]] = []
        if (folder / "last.safetensors").exists():
            self._resume(folder / "last.safetensors")
        elif start is not None:
            self._start_from(start)

    # --- the loop

    def fit(self, minutes: float | None = None) -> None:
        """Train until the recipe's batches are done or `minutes` of training have passed in all."""
        train = self.recipe.train
        limit = math.inf if minutes is None else minutes * 60
        log = SummaryWriter(str(self.folder))
        saved = printed = validated = time.perf_counter()
        means: dict[str, float] = {}
        while self.batch < train.batches and self.seconds < limit:
            begin = time.perf_counter()
            progress = max(self.batch / train.batches, self.seconds / limit)
            losses = self.step(progress)
            now = time.perf_counter()
            self.seconds += min(now - begin, 20.0)  # pauses do not count
            for name, value in losses.items():
                means[name] = 0.95 * means.get(name, value) + 0.05 * value
            if now - printed > PRINT_SECONDS or self.batch == train.batches:
                printed = now
                self._print(means, progress)
                for name, value in means.items():
                    log.add_scalar(f"train/{name}", value, self.batch)
            if now - validated > train.valid_minutes * 60:
                self.validate(log)
                self.save()
                validated = saved = time.perf_counter()
            elif now - saved > train.save_seconds:
                self.save()
                saved = time.perf_counter()
        self.validate(log)
        self.save()
        log.close()

    def step(self, progress: float) -> dict[str, float]:
        """One batch; returns its losses by name, "total" first."""
        train = self.recipe.train
        for group in self.optimiser.param_groups:
            group["lr"] = train.rate_at(self.batch, progress)
        # Every batch has its own counter-based draws, so a resumed run repeats an unbroken one.
        rng = np.random.default_rng((self.recipe.seed, 1 << 20, self.batch))
        torch.manual_seed(int(rng.integers(1 << 31)))
        self.network.train()
        mixed = torch.autocast("cuda", torch.bfloat16) if self.device == "cuda" else nullcontext()
        with mixed:
            losses = self.task.losses(self.network, rng, progress)
        self.optimiser.zero_grad(set_to_none=True)
        losses["total"].backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), train.gradient_clip)
        self.optimiser.step()
        keep_share = min(train.ema_decay, (self.batch + 1) / (self.batch + 10))
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                self.average[name].lerp_(parameter, 1 - keep_share)
        self.batch += 1
        return {name: float(value.detach()) for name, value in losses.items()}

    def validate(self, log: SummaryWriter | None = None) -> Score:
        """The task's validation of the averaged weights; keeps the best."""
        network = self.averaged()
        score = self.task.validate(network)
        line = {"batch": self.batch, "minutes": round(self.seconds / 60, 2), "valid": score.mean_by_field()}
        print(f"valid  batch {self.batch}  {score.line()}", flush=True)
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        if log is not None:
            log.add_scalar("valid/total", score.total, self.batch)
        if score.total < self.best:
            self.best = score.total
            weights = {f"weights.{n}": p for n, p in network.state_dict().items()}
            checkpoint.save(self.folder / "best.safetensors", weights, self.facts())
        return score

    def averaged(self) -> torch.nn.Module:
        """A copy of the network with the averaged weights, for evaluation."""
        network = self.family.network.Network(self.recipe.model, len(self.genres)).to(self.device)
        network.load_state_dict(self.average)
        return network.eval()

    def _print(self, means: dict[str, float], progress: float) -> None:
        rate = self.batch * self.task.size / max(self.seconds, 1e-9)
        fields = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
        print(
            f"batch {self.batch}  {progress:4.0%}  {self.seconds / 60:.1f} min  "
            f"{rate:.0f} {self.task.unit}/s  {fields}",
            flush=True,
        )

    # --- keeping

    def facts(self) -> dict[str, Any]:
        """The facts of the run, as JSON can hold it."""
        return {
            "recipe": recipe_table(self.recipe),
            "genres": self.genres,
            "data_hash": self.task.data_hash,
            "batch": self.batch,
            "seconds": self.seconds,
            "best": self.best,
            "stream": self.task.place,
            "ancestry": self.ancestry,
        }

    def save(self) -> None:
        """Write last.safetensors."""
        kept = {f"weights.{n}": p for n, p in self.network.named_parameters()}
        kept |= {f"average.{n}": p for n, p in self.average.items()}
        kept |= {f"state.{i}": s for i, s in enumerate(self.task.memory)}
        kept |= checkpoint.optimiser_tensors(self.optimiser, self.network)
        checkpoint.save(self.folder / "last.safetensors", kept, self.facts())

    def _resume(self, path: Path) -> None:
        kept, facts = checkpoint.load(path)
        if facts["data_hash"] != self.task.data_hash or tuple(facts["genres"]) != self.genres:
            raise HocketError(f"{path} was trained on other data: give another --run folder, or the same data")
        was, now = renames.settings(facts["recipe"]), json.loads(json.dumps(recipe_table(self.recipe)))
        if was["model"] != now["model"] or was["train"]["batch_size"] != now["train"]["batch_size"]:
            raise HocketError(f"{path} was made by another recipe: give another --run folder, or the same recipe")
        self.network.load_state_dict(checkpoint.prefixed(kept, "weights"))
        self.average = {n: t.to(self.device) for n, t in checkpoint.prefixed(kept, "average").items()}
        memory = checkpoint.prefixed(kept, "state")
        checkpoint.restore_optimiser(self.optimiser, self.network, kept)
        self.task.restore(facts["stream"], tuple(memory[str(i)] for i in range(len(memory))))
        self.batch, self.seconds, self.best = facts["batch"], facts["seconds"], facts["best"]
        self.ancestry = facts.get("ancestry", [])

    def _start_from(self, start: str) -> None:
        """Begin with the weights of another run or of a bundle."""
        theirs, facts = starting_weights(start)
        mine = self.network.state_dict()
        theirs = note_family.adopted(theirs, mine, tuple(facts["genres"]), self.genres)
        differ = [n for n, weight in mine.items() if n not in theirs or theirs[n].shape != weight.shape]
        if facts["recipe"].get("family") != self.recipe.family or differ:
            raise HocketError(f"{start} is another model: give the recipe that it was made by")
        self.network.load_state_dict({name: theirs[name] for name in mine})
        self.average = {n: p.detach().clone() for n, p in self.network.named_parameters()}
        names = ("recipe", "data_hash", "bundle", "batch", "seconds", "best")
        self.ancestry = [*facts.get("ancestry", []), {name: facts[name] for name in names if name in facts}]


def load_network(path: Path) -> tuple[torch.nn.Module, Recipe, dict[str, Any]]:
    """The network of a `best` checkpoint, ready to evaluate, with its recipe and facts."""
    kept, facts = checkpoint.load(path)
    recipe = recipe_from(facts["recipe"], str(path))
    network = FAMILIES[recipe.family].network.Network(recipe.model, len(facts["genres"]))
    network.load_state_dict(checkpoint.prefixed(kept, "weights"))
    return network.eval(), recipe, facts
