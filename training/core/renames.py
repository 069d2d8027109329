"""Former names of settings and of logged fields, so that old recipes, checkpoints, manifests and logs still load."""

from __future__ import annotations

from typing import Any

from instrument.errors import HocketError

NOTES: dict[str, dict[str, str]] = {
    "sampling": {"full_share": "full_weight_notes", "segment": "max_notes"},
    "train": {
        "steps": "sequence_length",
        "told_genre": "keep_genre",
        "told_density": "keep_density",
        "told_register": "keep_register",
        "told_parts": "keep_parts",
        "fresh": "state_reset",
    },
}
EVERY = {
    "train": {
        "lanes": "batch_size",
        "rate": "learning_rate",
        "warmup": "warmup_batches",
        "decay": "weight_decay",
        "clip": "gradient_clip",
        "average": "ema_decay",
        "muon": "muon_factor",
    }
}
SETTINGS: dict[str, dict[str, dict[str, str]]] = {
    "lstm": NOTES,
    "transformer": NOTES | {"model": {"queries": "query_heads", "keys": "key_heads", "inner": "feedforward"}},
    "musicvae": {
        "sampling": {"drop": "drum_dropout", "onsets": "min_onsets", "rest": "max_rest", "on_grid": "min_on_grid"},
        "model": {"reading": "segment_features", "apart": "separate_segments", "view": "segment_view"},
        "train": {"beta_rise": "beta_warmup", "free": "free_bits", "hidden": "token_dropout"},
    },
    "ddsp": {
        "sampling": {"full": "full_rate_folder"},
        "model": {"note": "note_width", "frame": "frame_width"},
        "train": {
            "typical": "latent_dropout",
            "unnamed": "instrument_dropout",
            "quiet": "quiet_weight",
            "depth": "quiet_db",
            "loudness": "loudness_weight",
            "astray": "pitch_jitter",
        },
    },
    "gansynth": {
        "model": {"places": "positions"},
        "train": {
            "tuning": "frequency_weight",
            "divergence": "kl_weight",
            "astray": "pitch_jitter",
            "critic": "adversarial_weight",
            "critic_rate": "critic_learning_rate",
            "critic_lanes": "critic_batch_size",
            "naming": "pitch_weight",
            "penalty": "r1_weight",
            "penalty_every": "r1_every",
            "alone": "critic_warmup_batches",
            "steps": "learning_rate_halvings",
        },
    },
    "cmelgan": {
        "sampling": {
            "sequence": "sequence_length",
            "wrong": "code_noise",
            "primed": "primer_length",
            "dreamt": "generated_length",
        },
        "model": {"dims": "components", "groups": "codebooks", "codes": "codebook_size"},
        "train": {
            "going_on": "prior_share",
            "critic_rate": "critic_learning_rate",
            "near": "mel_weight",
            "alike": "feature_matching_weight",
            "free": "free_bits",
            "minutes": "genre_minutes",
        },
    },
    "vocoder": {
        "model": {"tonal": "tonal_bins", "fine": "fine_bins", "high": "high_bands", "noise": "noise_bands"},
        "train": {
            "apart": "energy_distance_weight",
            "log": "log_magnitude_weight",
            "turn": "phase_weight",
            "made": "synthetic_share",
            "notes": "notes_share",
            "loudness": "loudness_db",
        },
    },
}
"""Family -> section of a recipe -> former name -> name; `EVERY` applies to all families."""

FIELDS = {
    "told": "teacher_forced",
    "free": "free_running",
    "told_onsets": "teacher_forced_onsets",
    "free_onsets": "free_running_onsets",
}
"""Former name -> name of figures of models of phrases, in logs and in stored evaluations."""


def setting(family: str, section: str, name: str) -> str:
    """The current name of a setting."""
    names = EVERY.get(section, {}) | SETTINGS.get(family, {}).get(section, {})
    return names.get(name, name)


def settings(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe's table with all settings under their current names. HocketError if one is given under both names."""
    out = dict(recipe)
    for section, given in recipe.items():
        if isinstance(given, dict):
            renamed: dict[str, Any] = {}
            for name, value in given.items():
                now = setting(str(recipe.get("family")), section, name)
                if now in renamed or (now != name and now in given):
                    raise HocketError(f"[{section}] gives {now!r} twice, once by its former name: leave that out")
                renamed[now] = value
            out[section] = renamed
    return out


def fields(figures: dict[str, Any]) -> dict[str, Any]:
    """Figures under their current names."""
    return {FIELDS.get(name, name): value for name, value in figures.items()}
