"""CARD.md: what a bundle is, what it was trained on and what it measures, from its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from instrument.errors import HocketError
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
SECTION, DATA = "\n## ", "Trained on"
RIGHTS = (
    "The music and the sound that you make with it are yours to use, sell and publish, without attribution. Check a "
    "long passage before you publish it, as a model can come close to a piece that it was trained on."
)


def write_card(folder: Path, figures: dict[str, Any]) -> None:
    """Write CARD.md in `folder`. figures: sections of measured figures, title ->
    text, table (row -> values), or a list of these."""
    sections = []
    for title, content in with_content(figures).items():
        blocks = [block if isinstance(block, str) else "\n".join(table(block)) for block in content]
        sections.append("\n\n".join([title, *blocks]) + "\n")
    _write(folder, sections)


def renew_card(folder: Path) -> None:
    """Write CARD.md in `folder` again from its manifest, with the measured figures that it has. HocketError if it has
    no card."""
    try:
        _, _, *measured = (folder / "CARD.md").read_text(encoding="utf-8").split(SECTION)
    except (OSError, ValueError) as error:
        raise HocketError(
            f"{folder} has no card that can be read ({error}): evaluate the bundle with --card"
        ) from error
    _write(folder, [section for section in measured if not section.startswith(DATA)])


def _write(folder: Path, sections: list[str]) -> None:
    """Write CARD.md with these measured sections, each a title and what is below it."""
    manifest = read_manifest(folder)
    data = [f"- {name}: {licence}" for name, licence in manifest.provenance.datasets.items()]
    trained_on = ["\n".join([DATA, "", *data]) + "\n"] if data else []
    text = SECTION.join(["\n".join(_head(manifest, folder)), *sections, *trained_on])
    (folder / "CARD.md").write_text(text, encoding="utf-8")


def _head(manifest: Manifest, folder: Path) -> list[str]:
    """Lines on what it is and how it was trained."""
    made = manifest.provenance
    size = sum((folder / g.file).stat().st_size for g in manifest.graphs)
    before = sum(float(run["seconds"]) for run in made.ancestry) / 60  # type: ignore[arg-type]
    begun = f", starting from weights trained for {before:.0f} minutes" if before else ""
    return [
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
        *_earlier_runs(manifest),
    ]


def _earlier_runs(manifest: Manifest) -> list[str]:
    """Lines on the runs whose weights it began with."""
    rows = {
        f"{number}.": {
            "minutes": round(float(run["seconds"]) / 60, 1),  # type: ignore[arg-type]
            "seed": run["recipe"]["seed"],  # type: ignore[index]
            "data": f"`{str(run['data_hash'])[:16]}`",
            "best in validation": run.get("best"),
            "kept as the bundle": f"`{bundle}`" if (bundle := str(run.get("bundle", ""))) else None,
        }
        for number, run in enumerate(manifest.provenance.ancestry, 1)
    }
    return (
        ["The runs before, each of which began with the weights of the one above it:", "", *table(rows), ""]
        if rows
        else []
    )


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
