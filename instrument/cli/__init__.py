"""The command line: play, render, models, names, doctor, bench.

Exit status: 0 done, 1 a named error on standard error, 2 bad arguments. With `--json`, standard output holds JSON
and nothing else. A command imports what it needs when it runs, so that each starts quickly.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from instrument import __version__, log, processes
from instrument.errors import HocketError

app = typer.Typer(
    name="hocket",
    help="A real-time instrument whose players are neural networks.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _choose_level(name: str) -> None:
    try:
        if name:
            log.choose_level(name)
    except HocketError as error:
        raise typer.BadParameter(str(error)) from error


LogLevel = Annotated[
    str,
    typer.Option(
        metavar="|".join(log.LEVELS),
        callback=_choose_level,
        help="Log level; else as in HOCKET_LOG.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Entry point of `hocket`, and of its child processes where the program is frozen (see `instrument.processes`).
    Ends the process with the exit status above."""
    try:
        if sys.argv[1:2] == [processes.FLAG]:
            processes.run("".join(sys.argv[2:3]), sys.argv[3:])
        app()
    except HocketError as error:
        sys.exit(f"hocket: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    log.to_stderr()


@app.command()
def play(
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="Patch, or take whose patch is loaded.")
    ] = None,
    model: Annotated[str, typer.Option(metavar="SLUG", help="Model of the first player.")] = "",
    patch: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Patch to begin with; by default the last state.")
    ] = "",
    headless: Annotated[bool, typer.Option("--headless", help="Play at once, without a window.")] = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after this many seconds.")] = None,
    audio: Annotated[str, typer.Option(metavar="DEVICE|null", help="Audio device.")] = "",
    midi: Annotated[str, typer.Option(metavar="PORT|virtual|null", help="MIDI port to send to.")] = "",
    midi_in: Annotated[str, typer.Option(metavar="PORT|virtual|null", help="MIDI port to play along on.")] = "",
    midi_offset: Annotated[
        float | None,
        typer.Option(min=-500, max=500, metavar="MS", help="Delay of the MIDI output; negative sends earlier."),
    ] = None,
    record: Annotated[str, typer.Option(metavar="FILE", help="Record to a .mid, .wav or .take.json file.")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Keep the engine playing when this command ends.")] = False,
    osc: Annotated[
        str, typer.Option(metavar="[HOST:]PORT", help="Listen for OSC; on this machine only by default.")
    ] = "",
    osc_out: Annotated[str, typer.Option(metavar="[HOST:]PORT", help="Report changes by OSC (with --osc).")] = "",
    log_level: LogLevel = "",
) -> None:
    """Play live."""
    from instrument.cli.osc import osc_bridge
    from instrument.cli.playing import play_headless, play_in_window

    if file and patch:
        raise typer.BadParameter(f"the patch {patch!r} is given too: give one of the two", param_hint="FILE")
    patch = str(file.absolute()) if file else patch
    given = {"model": model, "patch": patch, "audio": audio, "midi": midi, "record": _absolute(record)}
    given["midi-in"] = midi_in
    options = {name: value for name, value in given.items() if value}
    if midi_offset is not None:
        options["midi-offset"] = f"{midi_offset:g}"
    with osc_bridge(osc, osc_out):
        if not headless:
            headless = not play_in_window(options, keep, seconds)
        if headless:
            play_headless(options, keep, seconds)


@app.command()
def render(
    out: Annotated[Path | None, typer.Option(metavar="FILE.mid|FILE.wav", help="File to write.")] = None,
    model: Annotated[
        str, typer.Option(metavar="SLUG", help="Model of the first player; or a voice, a stream, a vocoder.")
    ] = "",
    seconds: Annotated[float | None, typer.Option(help="Length in seconds.")] = None,
    bars: Annotated[int | None, typer.Option(help="Length in bars; the shorter of the two counts.")] = None,
    tempo: Annotated[float | None, typer.Option(metavar="BPM", help="Beats a minute.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same music.")] = None,
    patch: Annotated[str, typer.Option(metavar="NAME|FILE", help="Patch to play.")] = "",
    take: Annotated[str, typer.Option(metavar="FILE", help="Take to play again.")] = "",
    verify: Annotated[bool, typer.Option("--verify", help="Generate the take again and compare.")] = False,
    sets: Annotated[list[str] | None, typer.Option("--set", metavar="KNOB=VALUE", help="Set a knob.")] = None,
    ats: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="BEAT:KNOB=VALUE",
            help="Turn a knob on a beat; or lead with a chord (8:chord=Dm9), make a bar of a player anew "
            "(8:remake=0/4), press a button (16:form/again).",
        ),
    ] = None,
    prompt: Annotated[str, typer.Option(metavar="FILE.mid", help="Music that the models continue.")] = "",
    keys: Annotated[
        str, typer.Option(metavar="FILE.mid", help="What you play on the keyboard: a left hand, a question, a duet.")
    ] = "",
    source: Annotated[
        Path | None, typer.Option("--input", metavar="FILE.wav", help="Sound that a vocoder renders from its mels.")
    ] = None,
    progression: Annotated[
        str, typer.Option(metavar="CHORDS", help="Chords that the band plays, as in 'Dm9 | G13 | % | Am7 D7'.")
    ] = "",
    log_level: LogLevel = "",
    as_json: Json = False,
) -> None:
    """Render music to a file, without devices and faster than real time. Equal options give equal files."""
    if verify and not take:
        raise typer.BadParameter("needs a take: give --take FILE too", param_hint="--verify")
    if out is None and not verify:
        raise typer.BadParameter("a file is needed: give --out FILE.mid or --out FILE.wav", param_hint="--out")
    from instrument.engine.offline.bounce import bounce, check_out
    from instrument.engine.offline.render import Options, differences
    from instrument.engine.offline.render import render as rendered
    from instrument.engine.performance.takes import load_take
    from instrument.models.catalog import open_player

    if source is not None:
        from instrument.engine.offline.vocoding import pass_through

        lasts = pass_through(model, source, check_out(out or ""))
        if as_json:
            _print_json({"out": str(out), "notes": 0, "seconds": round(lasts, 6)})
        return
    report: dict[str, Any] = {}
    if verify:
        found = differences(load_take(take), open_player)
        report |= {"verified": not found, "differences": found}
    if out is not None:
        check_out(out)
        options = Options(
            model,
            seconds,
            bars,
            tempo,
            seed,
            patch,
            tuple(sets or ()),
            tuple(ats or ()),
            prompt,
            take,
            progression,
            keys,
        )
        rendering = rendered(options, open_player, lambda line: typer.echo(line, err=True))
        for notice in rendering.notices:
            typer.echo(notice, err=True)
        if not bounce(rendering, out) and not take:
            raise HocketError(f"{out} is silent: {'no notes were' if out.suffix == '.mid' else 'nothing was'} played")
        report |= {"out": str(out), "notes": len(rendering.played), "seconds": round(rendering.seconds, 6)}
    if as_json:
        _print_json(report)
    if verify and report["differences"]:
        raise HocketError(f"the take differs from its recording: {'; '.join(report['differences'])}")


models_app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(models_app, name="models")


@models_app.command("export")
def export_model(
    slug: Annotated[str, typer.Argument(help="Of an installed model.")],
    out: Annotated[Path | None, typer.Option(help="File to write [SLUG.hocket].")] = None,
) -> None:
    """Write a model to one file, with its card and licence, to give to others."""
    from instrument.models.sharing import export_model as export

    written = export(slug, out)
    typer.echo(f"{written}: {written.stat().st_size / 2**20:.1f} MiB")


@models_app.command("import")
def import_model(file: Annotated[Path, typer.Argument(help="Written by `hocket models export`.")]) -> None:
    """Install a model from a file, after checking it as any unknown one."""
    from instrument.models.sharing import import_model as install

    typer.echo(install(file))


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: Json = False) -> None:
    """List the installed models; or export one to a file, or import one."""
    from instrument.models.catalog import list_models

    if context.invoked_subcommand is not None:
        return
    rows = []
    for entry in list_models():
        manifest = entry.manifest
        rows.append({
            "slug": entry.slug,
            "family": manifest.family if manifest else "",
            "kind": entry.kind,
            "name": manifest.name if manifest else "",
            "version": manifest.version if manifest else "",
            "bytes": entry.bytes,
            "licence": manifest.licence if manifest else "",
            "genres": list(manifest.genres) if manifest else [],
            "knobs": [knob.id for knob in manifest.knobs] if manifest else [],
            "hash": manifest.bundle_hash if manifest else "",
            "path": str(entry.path),
            "problem": entry.problem,
        })  # fmt: skip
    if as_json:
        _print_json(rows)
    for row in [] if as_json else rows:
        size = f"{float(str(row['bytes'])) / 2**20:.1f} MiB"
        typer.echo(f"{row['slug']:<20} {row['family']:<12} {size:>10}  {row['problem'] or row['name']}")
    if not rows:
        typer.echo("no models found: put a bundle into a folder that `hocket doctor` names", err=True)


@app.command()
def names(
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/control.md.")] = False,
) -> None:
    """List all that can be turned or pressed, by the names that MIDI learn, OSC, --set and --at use."""
    from instrument.engine.surface import naming
    from instrument.models.catalog import list_models

    found = list_models()
    rows = [*naming.button_rows(), *naming.instrument_rows(), *naming.player_rows(found)]
    if as_json:
        _print_json([row._asdict() for row in rows])
    elif markdown:
        typer.echo(naming.document(found), nl=False)
    else:
        for row in rows:
            typer.echo(f"{row.name:<24} {row.values[:40]:<40}  {row.help}")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check this machine: what is missing, how to install it, and the end of the engine's log."""
    from instrument.doctor import checks

    found = checks()
    if as_json:
        _print_json({"ok": all(check.ok for check in found), "checks": [asdict(check) for check in found]})
        return
    for check in found:
        detail = check.detail.replace("\n", "\n      ")
        typer.echo(f"{'ok ' if check.ok else '-- '} {check.name}: {detail}")
        if check.fix:
            typer.echo(f"      {check.fix}")


@app.command()
def bench(
    as_json: Json = False,
    seconds: Annotated[float, typer.Option(min=2, max=600, help="Seconds of music to measure.")] = 15,
) -> None:
    """Measure the speed and latency of notes, knobs and sound on this machine."""
    from instrument.bench.run import run_bench

    typer.echo(f"hocket: measuring for about {2 * seconds + 4 * min(seconds, 8) + 75:g} s", err=True)
    report = run_bench(seconds)
    if as_json:
        _print_json(report)
    else:
        for name, value in _flat(report):
            typer.echo(f"{name:<44} {value}")


def _absolute(path: str) -> str:
    """`path` as an absolute one, because the engine may run in another folder; "" stays ""."""
    return str(Path(path).expanduser().absolute()) if path else ""


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1))


def _flat(table: dict[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Rows of a nested table: {"audio": {"blocks": 12}} gives ("audio.blocks", 12)."""
    rows: list[tuple[str, Any]] = []
    for name, value in table.items():
        rows += _flat(value, f"{above}{name}.") if isinstance(value, dict) else [(above + name, value)]
    return rows
