"""Training a model: plain PyTorch, seeded, resumable after any kill. The family defines its task (`families.task`).

A run is a folder: `last.safetensors` (all that resuming needs), `best.safetensors` (the averaged weights
that validated best), `log.jsonl` and TensorBoard's files.

Its length is planned before the first batch and stored: minutes are converted to batches by the speed measured over
some batches that are then undone. So the learning rate of a batch depends on its number alone.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from instrument.errors import HocketError
from training.core import checkpoint, ranks
from training.core.devices import mixed_precision
from training.core.interrupts import Interrupts
from training.core.muon import Muon
from training.core.recipe import Recipe
from training.core.run_log import RunLog, duration
from training.core.schedule import Schedule
from training.core.standing import Standing
from training.data.licences import left_out
from training.families.notes import network as note_family
from training.families.table import FAMILIES
from training.families.task import Score, Task
from training.recipe import recipe_from, recipe_table, recipe_text
from training.weights import copy_shared_parameters, starting_weights, teacher_of

PRINT_SECONDS = 30.0
MEASURED_BATCHES = 4  # to plan a run by
SHORT_RUN = 20  # batches up to which it is not worth measuring
MOST_BAD_BATCHES = 3  # in a row, of which a loss or gradient is no number


class Run:
    """One training run in `folder`; new (from the weights of `start`, if that is given: a checkpoint, a
    bundle's folder or its slug), or resumed."""

    def __init__(self, recipe: Recipe, folder: Path, device: str = "cpu", start: str | None = None) -> None:
        self.recipe, self.folder, self.device, self.log = recipe, folder, device, RunLog(folder)
        self.family = FAMILIES[recipe.family]
        with ranks.first_rank_first():  # it may write files that the others read
            self.task: Task = self.family.task(recipe, device)
        self.genres = self.task.genres
        teacher = None
        if name := getattr(recipe.train, "teacher", ""):  # models of notes alone have one
            teacher = self.task.teacher = teacher_of(name, self.genres)
            if teacher is None:
                print(f"without its teacher: {name} knows other genres than {', '.join(self.genres)}", flush=True)
            else:
                teacher.to(device)
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
        self.schedule = Schedule.of(recipe.train.batches)
        self.asked: list[float | int | None] | None = None  # minutes and batches that the schedule was planned for
        self.standing = Standing()
        self.bad_batches = 0  # in a row
        self.gradient_norm = 0.0  # of the last batch, before it was clipped
        self.ancestry: list[dict[str, Any]] = []
        if (folder / "last.safetensors").exists():
            self._resume(folder / "last.safetensors")
        elif start is not None:
            self._start_from(start)
        self.task.continued = self.standing.parent is not None

    # --- the loop

    def fit(self, minutes: float | None = None, batches: int | None = None) -> bool:
        """Train for so many minutes or batches in all; by default as planned before, or as the recipe says. Whether it
        came to its end: Ctrl-C stops it after the batch in hand, and it is saved. Raises HocketError if the folder
        cannot be written or the loss stays no number."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.log.open_board()
            if line := left_out(self.recipe.data):
                self.log.say(line)
            with Interrupts() as interrupts:
                self._plan(minutes, batches)
                if self.log.writes:
                    (self.folder / "recipe.toml").write_text(recipe_text(self.recipe), encoding="utf-8")
                done = self._train(lambda: ranks.any_rank(interrupts.asked))
            self.log.close()
        except OSError as error:
            raise HocketError(f"{self.folder} cannot be written: {error}") from error
        return done

    def _train(self, interrupted: Callable[[], bool]) -> bool:
        train = self.recipe.train
        saved = printed = _now()
        means: dict[str, float] = {}
        while True:
            if interrupted():
                self.save()
                self.log.say(f"stopped at batch {self.batch}, saved in {self.folder}: the same command goes on")
                return False
            if self.standing.is_due(self.batch, self.recipe.train.valid_batches, self.schedule.end):
                self.save()
                self.validate()
                self.save()
                saved = _now()
            if reason := self._reason_to_end():
                self.log.say(f"{reason} {self.standing.result(self.folder / 'best.safetensors')}")
                return True
            begin = _now()
            losses = self.step(self.schedule.progress(self.batch))
            now = _now()
            self.seconds += min(now - begin, 20.0)  # pauses do not count
            for name, value in losses.items():
                means[name] = 0.95 * means.get(name, value) + 0.05 * value
            if now - printed > PRINT_SECONDS or self.batch == self.schedule.end:
                printed = now
                self._report(means)
            if now - saved > train.save_seconds:
                self.save()
                saved = _now()

    def _reason_to_end(self) -> str:
        """A sentence; "" if the run is to go on."""
        patience, worse = self.recipe.train.patience, self.standing.not_better
        if self.batch >= self.schedule.end:
            return f"All {self.schedule.end} batches are done."
        if patience and worse >= patience:
            return f"Stopped at batch {self.batch}: {worse} validations in a row were no better (patience)."
        return ""

    def _plan(self, minutes: float | None, batches: int | None) -> None:
        """Decide the number of batches, and how many lie between validations."""
        train, asked = self.recipe.train, [minutes, batches]
        as_before = asked in ([None, None], self.asked)
        by_minutes = minutes is not None and batches is None
        speed = self.seconds / self.batch if self.batch else 0.0
        short = (batches or math.inf) <= SHORT_RUN
        if not self.batch and not short and (not train.valid_batches or (by_minutes and not as_before)):
            speed = self.measured_speed()
        if not train.valid_batches:
            every = SHORT_RUN if short else max(1, round(train.valid_minutes * 60 / max(speed, 1e-9)))
            self.recipe = dataclasses.replace(self.recipe, train=dataclasses.replace(train, valid_batches=every))
        if as_before:
            return
        self.asked = asked
        if self.batch and self.schedule.progress(self.batch) >= 1:
            self.log.say(
                "the schedule had ended and goes on at its last rate; for a new one, start --from its best checkpoint"
            )
        end = batches or self.batch + round(max(0.0, (minutes or 0.0) * 60 - self.seconds) / max(speed, 1e-9))
        self.schedule = self.schedule.until(end, self.batch) if self.batch else Schedule.of(max(1, end))
        if by_minutes:
            self.log.say(
                f"planned: {self.schedule.end} batches for {minutes:g} minutes, at {speed:.3f} s a batch. "
                f"To repeat it exactly: --batches {self.schedule.end}"
            )

    def measured_speed(self) -> float:
        """Seconds a batch, measured over some that are then undone."""
        kept = {name: tensor.detach().clone() for name, tensor in self._tensors().items()}
        place, batch, speed = copy.deepcopy(self.task.place), self.batch, 0.0
        for begin, share in self.recipe.train.phases():
            times = []
            for _ in range(1 + MEASURED_BATCHES):  # the first takes longer
                started = time.perf_counter()
                self.step(begin)
                times.append(time.perf_counter() - started)
            speed += share * float(np.median(times[1:]))
        self._restore(kept, place)
        self.batch, self.bad_batches = batch, 0
        return ranks.agreed(speed)[0]

    def step(self, progress: float) -> dict[str, float]:
        """One batch; returns its losses by name, "total" first. A batch whose loss or gradient is no number changes
        nothing and is named; HocketError if several in a row are."""
        train = self.recipe.train
        for group in self.optimiser.param_groups:
            group["lr"] = train.rate_at(self.batch, progress)
        # Every batch has its own counter-based draws, so a resumed run repeats an unbroken one.
        rng = np.random.default_rng((self.recipe.seed, 1 << 20, self.batch))
        torch.manual_seed(int(rng.integers(1 << 31)) + ranks.rank())
        self.network.train()
        memory = self.task.memory
        with mixed_precision(self.device):
            losses = self.task.losses(self.network, rng, progress)
        self.optimiser.zero_grad(set_to_none=True)
        losses["total"].backward()
        ranks.average_gradients(self.network.parameters())
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), train.gradient_clip)
        means = ranks.mean_of_ranks(torch.stack([value.detach().float() for value in losses.values()]))
        values = dict(zip(losses, means.cpu().tolist(), strict=True))
        if not (math.isfinite(values["total"]) and torch.isfinite(norm)):
            self.task.restore(self.task.place, memory)
            self._skip("loss" if not math.isfinite(values["total"]) else "gradient")
            return {name: value for name, value in values.items() if math.isfinite(value)}
        self.optimiser.step()
        keep_share = min(train.ema_decay, (self.batch + 1) / (self.batch + 10))
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                self.average[name].lerp_(parameter, 1 - keep_share)
        self.batch += 1
        self.bad_batches = 0
        self.gradient_norm = float(norm)
        return values

    def _skip(self, what: str) -> None:
        """Leave out the batch."""
        self.batch += 1
        self.bad_batches += 1
        self.log.say(f"batch {self.batch} is left out: its {what} is no finite number")
        if self.bad_batches < MOST_BAD_BATCHES:
            return
        self.save()
        raise HocketError(
            f"{self.bad_batches} batches in a row had a {what} that is no finite number: the last finite state is in "
            f"{self.folder}. Continue with a lower learning_rate or gradient_clip"
        )

    def validate(self) -> Score:
        """The task's validation of the averaged weights; keeps the best."""
        network = self.averaged()
        score = self.task.validate(network)
        (total,) = ranks.agreed(score.total)
        self.log.say(f"valid  batch {self.batch}  {score.line()}")
        by_genre = {genre: each["total"] for genre, each in getattr(score, "by_genre", dict)().items()}
        self.log.add(self.batch, self.seconds, "valid", score.mean_by_field(), total=total, by_genre=by_genre)
        if self.standing.take(total, score.mean_by_field(), self.batch) and self.log.writes:
            weights = {f"weights.{n}": p for n, p in network.state_dict().items()}
            checkpoint.save(self.folder / "best.safetensors", weights, self.facts())
        return score

    def averaged(self) -> torch.nn.Module:
        """A copy of the network with the averaged weights, for evaluation."""
        network = self.family.network.Network(self.recipe.model, len(self.genres)).to(self.device)
        network.load_state_dict(self.average)
        return network.eval()

    def _report(self, means: dict[str, float]) -> None:
        each = self.seconds / max(self.batch, 1)
        left = duration(each * max(0, self.schedule.end - self.batch))
        fields = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
        self.log.say(
            f"batch {self.batch}  {self.batch / self.schedule.end:4.0%}  {self.seconds / 60:.1f} min, {left} left  "
            f"{self.task.size / max(each, 1e-9):.0f} {self.task.unit}/s  {fields}"
        )
        figures = {"learning_rate": self.optimiser.param_groups[0]["lr"], "gradient_norm": self.gradient_norm}
        self.log.add(self.batch, self.seconds, "train", means | figures)

    # --- keeping

    def facts(self) -> dict[str, Any]:
        """The facts of the run, as JSON can hold it."""
        return {
            "recipe": recipe_table(self.recipe),
            "genres": self.genres,
            "data_hash": self.task.data_hash,
            "batch": self.batch,
            "seconds": self.seconds,
            "schedule": self.schedule.knots,
            "asked": self.asked,
            "ancestry": self.ancestry,
        } | self.standing.facts()

    def save(self) -> None:
        """Write last.safetensors; not if a weight is no number, so that what is there stays. All processes take part,
        the first writes."""
        kept, place = self._tensors(), self.task.place
        if not ranks.rank() and all(bool(torch.isfinite(tensor).all()) for tensor in kept.values()):
            checkpoint.save(self.folder / "last.safetensors", kept, self.facts() | {"stream": place})

    def _tensors(self) -> dict[str, torch.Tensor]:
        kept = {f"weights.{n}": p for n, p in self.network.named_parameters()}
        kept |= {f"average.{n}": p for n, p in self.average.items()}
        kept |= {f"state.{i}": s for i, s in enumerate(self.task.memory)}
        return kept | checkpoint.optimiser_tensors(self.optimiser, self.network)

    def _restore(self, kept: dict[str, torch.Tensor], place: Any) -> None:
        self.network.load_state_dict(checkpoint.prefixed(kept, "weights"))
        self.average = {n: t.to(self.device) for n, t in checkpoint.prefixed(kept, "average").items()}
        memory = checkpoint.prefixed(kept, "state")
        checkpoint.restore_optimiser(self.optimiser, self.network, kept)
        self.task.restore(place, tuple(memory[str(i)] for i in range(len(memory))))

    def _resume(self, path: Path) -> None:
        kept, facts = checkpoint.load(path)
        if facts["data_hash"] != self.task.data_hash or tuple(facts["genres"]) != self.genres:
            raise HocketError(f"{path} was trained on other data: give another --run folder, or the same data")
        was = recipe_from(facts["recipe"], str(path))
        if was.model != self.recipe.model or was.train.batch_size != self.recipe.train.batch_size:
            raise HocketError(f"{path} was made by another recipe: give another --run folder, or the same recipe")
        self._restore(kept, facts["stream"])
        self.standing.restore(facts)
        self.batch, self.seconds = facts["batch"], facts["seconds"]
        self.ancestry = facts.get("ancestry", [])
        if "schedule" in facts:
            self.schedule = Schedule(tuple((int(batch), float(progress)) for batch, progress in facts["schedule"]))
            every = self.recipe.train.valid_batches or facts["recipe"]["train"]["valid_batches"]
            train = dataclasses.replace(self.recipe.train, valid_batches=every)
            self.recipe = dataclasses.replace(self.recipe, train=train)
            self.asked = facts["asked"]

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
        self.standing.expect_parent()


def _now() -> float:
    """Seconds of the first process's clock: what depends on time happens in all processes at the same batch."""
    return ranks.agreed(time.perf_counter())[0]


def load_network(path: Path) -> tuple[torch.nn.Module, Recipe, dict[str, Any]]:
    """The network of a `best` checkpoint, ready to evaluate, with its recipe and facts."""
    kept, facts = checkpoint.load(path)
    recipe = recipe_from(facts["recipe"], str(path))
    network = FAMILIES[recipe.family].network.Network(recipe.model, len(facts["genres"]))
    network.load_state_dict(checkpoint.prefixed(kept, "weights"))
    return network.eval(), recipe, facts
