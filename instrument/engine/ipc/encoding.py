"""Commands and reports as bytes (msgpack)."""

from __future__ import annotations

import msgspec

from instrument.engine.ipc.messages import AnyReport, Envelope
from instrument.errors import HocketError

_encoder = msgspec.msgpack.Encoder()
_commands = msgspec.msgpack.Decoder(Envelope)
_reports = msgspec.msgpack.Decoder(AnyReport)


def encode(message: Envelope | AnyReport) -> bytes:
    """Encode a message."""
    return _encoder.encode(message)


def decode_command(data: bytes) -> Envelope:
    """Decode a command. Raises HocketError for anything else."""
    try:
        envelope = _commands.decode(data)
    except msgspec.DecodeError as error:
        raise HocketError(f"not a command of this version: {error}") from error
    texts = ((n, v) for n, v in msgspec.structs.asdict(envelope.command).items() if isinstance(v, str))
    if name := next((name for name, text in texts if "\0" in text), ""):  # it would end names of files early
        raise HocketError(f"{name} of {type(envelope.command).__name__} contains the character NUL: leave it out")
    return envelope


def decode_report(data: bytes) -> AnyReport:
    """Decode a report. Raises HocketError for anything else."""
    try:
        report: AnyReport = _reports.decode(data)
        return report
    except msgspec.DecodeError as error:
        raise HocketError(f"not a report of this version: {error}") from error
