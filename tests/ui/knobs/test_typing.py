"""Numbers are typed alike in every locale, and kept exactly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QLocale, Qt
from PySide6.QtWidgets import QToolTip
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import KnobInfo
from instrument.engine.performance.knobs import INSTRUMENT_KNOBS
from instrument.ui.footer import Footer
from instrument.ui.knobs.board import Board
from instrument.ui.knobs.controls import NumberBox, SeedBox
from instrument.ui.knobs.knob import KnobDial

TEMPO = next(info for info in INSTRUMENT_KNOBS if info.id == "tempo")
SEED = next(info for info in INSTRUMENT_KNOBS if info.id == "seed")
NUMBERS = [info for info in INSTRUMENT_KNOBS if info.kind == "number" and info.id != "tempo"]


@pytest.fixture(params=["C", "de_DE", "ar_EG"], autouse=True)
def locale(request: pytest.FixtureRequest) -> Iterator[QLocale]:
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield QLocale()
    QLocale.setDefault(before)


@pytest.fixture
def tempo(qtbot: QtBot) -> tuple[NumberBox, list[float]]:
    """The box of the tempo, and what it was turned to."""
    box = NumberBox(TEMPO, decimals=1)
    qtbot.addWidget(box)
    box.show()
    heard: list[float] = []
    box.turned.connect(heard.append)
    return box, heard


def type_into(qtbot: QtBot, box: NumberBox, text: str) -> None:
    box.setFocus()
    box.selectAll()
    if text.isascii() and " " not in text:  # the space bar plays
        qtbot.keyClicks(box.lineEdit(), text)
    else:
        box.lineEdit().insert(text)
    qtbot.keyClick(box.lineEdit(), Qt.Key.Key_Return)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("96.5", 96.5), ("96,5", 96.5), ("96,5 bpm", 96.5), ("96.5bpm", 96.5), ("96.5 BPM", 96.5),
        ("\u0669\u0666\u066b\u0665", 96.5), ("97.123456", 97.123456), ("400", 400.0),
    ],
)  # fmt: skip
def test_a_tempo_is_understood_and_kept_exactly(
    qtbot: QtBot, tempo: tuple[NumberBox, list[float]], text: str, value: float
) -> None:
    box, heard = tempo
    type_into(qtbot, box, text)
    assert heard == [value]
    for _ in range(2):  # looked at, and left
        qtbot.keyClick(box.lineEdit(), Qt.Key.Key_Return)
    box.clearFocus()
    assert (box.value(), heard) == (value, [value])


def test_a_tempo_that_is_shown_rounded_is_not_changed_by_a_look(
    qtbot: QtBot, tempo: tuple[NumberBox, list[float]]
) -> None:
    box, heard = tempo
    box.show_value(97.3456789)
    assert box.text() == "97.3"
    qtbot.keyClick(box.lineEdit(), Qt.Key.Key_Return)
    assert heard == []
    box.show_value(96.25)
    assert box.text() == "96.25"


@pytest.mark.parametrize("text", ["fast", "7", "1e9", "12,3,4", "nan"])
def test_what_is_no_tempo_changes_nothing_and_says_why(
    qtbot: QtBot, tempo: tuple[NumberBox, list[float]], text: str
) -> None:
    box, heard = tempo
    type_into(qtbot, box, text)
    assert heard == []
    assert box.text() == "120.0"
    assert "Tempo cannot be" in QToolTip.text()


@pytest.mark.parametrize("text", ["123456", "123,456", "123.456", "123 456", "123'456"])
def test_a_seed_may_have_its_thousands_marked(qtbot: QtBot, text: str) -> None:
    seed = SeedBox(SEED)
    qtbot.addWidget(seed)
    seed.show()
    type_into(qtbot, seed.box, text)
    assert seed.box.value() == 123456


def test_the_offset_of_the_midi_port_is_typed(qtbot: QtBot) -> None:
    footer = Footer()
    qtbot.addWidget(footer)
    footer.show()
    heard: list[object] = []
    footer.changed.connect(lambda command: heard.append(command.offset_ms))
    for text in ("-20", "12 ms", "7,0"):
        type_into(qtbot, footer.offset, text)
    assert heard == [-20.0, 12.0, 7.0]


def test_every_number_of_the_instrument_takes_back_the_text_that_it_shows(qtbot: QtBot) -> None:
    board = Board()
    for info in NUMBERS:
        control = board.make(info)
        qtbot.addWidget(control)
        if not isinstance(control, KnobDial):
            continue
        for place in (0.0, 0.123456, 0.5, 0.98765, 1.0):
            value = control.scale.value(place)
            for text in (control.scale.exact_text(value), control.scale.exact_text(value).replace(".", ",")):
                assert control.scale.parse(text) == value, (info.id, text)


def test_a_dial_keeps_what_was_typed_and_is_not_changed_by_a_look(qtbot: QtBot) -> None:
    dial = KnobDial(KnobInfo("temperature", "Surprise", low=0.0, high=2.0, default=1.0))
    qtbot.addWidget(dial)
    dial.show()
    heard: list[float] = []
    dial.turned.connect(heard.append)
    dial.type_value("0,77777")
    qtbot.keyClick(dial._typed, Qt.Key.Key_Return)
    assert heard == [0.77777]
    dial.type_value()
    assert dial._typed.text() == "0.77777"
    qtbot.keyClick(dial._typed, Qt.Key.Key_Return)
    assert heard == [0.77777]


def test_a_share_is_typed_in_percent(qtbot: QtBot) -> None:
    dial = KnobDial(KnobInfo("wander", "Wander", low=0.0, high=1.0, default=0.5))
    qtbot.addWidget(dial)
    assert dial.scale.parse("25 %") == 0.25
    assert dial.scale.parse("25%") == 0.25
