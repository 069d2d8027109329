"""CARD.md: what a bundle is, what it was trained on and what it measures, from its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from instrument.models.manifest import Manifest, read_manifest
from training.families.table import Kind, find_family

KINDS: dict[Kind, str] = {
    "notes": "A note model",
    "phrases": "A note model",
    "plan": "A plan model (chords and sections ahead of the players)",
    "stream": "A sound model (an endless stream)",
    "voice": "A sound model (a voice)",
    "vocoder": "A part of sound models",
}
RIGHTS = (
    "The music and the sound that you make with it are yours to use, sell and publish, without attribution. Check a "
    "long passage before you publish it, as a model can come close to a piece that it was trained on."
)


def write_card(folder: Path, figures: dict[str, Any]) -> None:
    """Write CARD.md in `folder`. figures: sections of measured figures, title ->
    text, table (row -> values), or a list of these."""
    manifest = read_manifest(folder)
    made = manifest.provenance
    size = sum((folder / g.file).stat().st_size for g in manifest.graphs)
    before = sum(float(run["seconds"]) for run in made.ancestry) / 60  # type: ignore[arg-type]
    begun = f", starting from weights trained for {before:.0f} minutes" if before else ""
    lines = [
        f"# {manifest.name} ({manifest.slug})",
        "",
        f"{KINDS[find_family(manifest.family).kind]} of family `{manifest.family}`, version {manifest.version}, "
        f"{size / 2**20:.2f} MiB of graphs.",
        *_offered(manifest),
        "",
        f"Licence: {manifest.licence}, with the attributions below.",
        "",
        RIGHTS,
        "",
        "## Training",
        "",
        f"{made.minutes:g} minutes of training{begun}, seed {made.seed}, data `{made.data_hash[:16]}`, "
        f"commit `{made.commit[:12]}`{_made_with(manifest)}.",
        "",
        *([remark, ""] if (remark := str(made.recipe.get("remark", ""))) else []),
        *table({k: {"": v} for k, v in made.metrics.items()}),
        "",
    ]
    for title, content in with_content(figures).items():
        lines += [f"## {title}", ""]
        for block in content:
            lines += [*([block] if isinstance(block, str) else table(block)), ""]
    if made.datasets:
        lines += ["## Trained on", "", *[f"- {name}: {licence}" for name, licence in made.datasets.items()], ""]
    (folder / "CARD.md").write_text("\n".join(lines))


def with_content(figures: dict[str, Any]) -> dict[str, list[Any]]:
    """The sections as lists of text and tables, without empty tables and what has no others."""
    found: dict[str, list[Any]] = {}
    for title, content in figures.items():
        blocks = content if isinstance(content, list) else [content]
        tables = [block for block in blocks if not isinstance(block, str)]
        if blocks and (not tables or any(tables)):
            found[title] = [block for block in blocks if block]
    return found


def _made_with(manifest: Manifest) -> str:
    return "".join(f", {name} {version}" for name, version in manifest.provenance.versions.items())


def _offered(manifest: Manifest) -> list[str]:
    """What can be chosen: genres, or instruments."""
    if manifest.genres:
        return [f"Genres offered: {', '.join(manifest.genres)}."]
    return [f"Instruments: {', '.join(manifest.condition_genres)}."] if manifest.condition_genres else []


def table(rows: dict[str, Any]) -> list[str]:
    """Lines of a table, row -> column -> value, in Markdown."""
    if not rows:
        return []
    columns: list[str] = []
    for values in rows.values():
        columns += [c for c in values if c not in columns]
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, values in rows.items():
        cells = [_cell(values.get(c, "")) for c in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _cell(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)
