from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QShortcut, QWheelEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import KnobInfo
from instrument.ui.knobs.board import Board
from instrument.ui.knobs.chip import Chip, PartChip
from instrument.ui.knobs.controls import Button, Choice, NumberBox, SeedBox, Selector, pretty
from instrument.ui.knobs.knob import KnobDial

GENRE = KnobInfo("genre", "Genre", "choice", default="none", choices=("none", "jazz", "pop"), help="Style")
DRUMS = KnobInfo("drums", "Drums", "switch", step=1, default=1.0, player=-1, help="Whether drums may play")
TEMPO = KnobInfo("tempo", "Tempo", unit="bpm", low=20, high=400, default=120.0, curve="log", player=-1)
SEED = KnobInfo("seed", "Seed", low=0, high=999_999, step=1, default=0, player=-1)


def test_a_choice_tells_what_was_picked_and_shows_echoes_silently(qtbot: QtBot) -> None:
    choice = Choice(GENRE)
    qtbot.addWidget(choice)
    choice.show()
    heard: list[str] = []
    choice.turned.connect(heard.append)
    choice.show_value("pop")
    assert (choice.currentText(), heard) == ("Pop", [])
    qtbot.keyClick(choice, Qt.Key.Key_Up)
    assert (choice.currentText(), heard) == ("Jazz", ["jazz"])
    choice.reset()
    assert (choice.currentText(), heard) == ("None", ["jazz", "none"])


def test_enter_opens_a_list(qtbot: QtBot) -> None:
    choice = Choice(GENRE)
    qtbot.addWidget(choice)
    choice.show()
    qtbot.keyClick(choice, Qt.Key.Key_Return)
    assert choice.held
    choice.show_value("pop")  # an echo must not move what is being chosen from
    assert choice.currentText() == "None"
    choice.hidePopup()


def test_what_cannot_be_chosen_is_greyed_and_says_why(qtbot: QtBot) -> None:
    selector = Selector("Model")
    qtbot.addWidget(selector)
    selector.show_items([("a", "A", ""), ("b", "B", "its hash is wrong")], "a")
    assert not selector.model().flags(selector.model().index(1, 0)) & Qt.ItemFlag.ItemIsEnabled
    assert selector.itemData(1, Qt.ItemDataRole.ToolTipRole) == "its hash is wrong"


def test_what_is_in_use_is_shown_even_if_it_is_in_no_list(qtbot: QtBot) -> None:
    selector = Selector("Model")
    qtbot.addWidget(selector)
    selector.show_items([("a", "A", "")], "gone")
    assert selector.currentData() == "gone"


def test_a_chip_is_switched_by_click_and_enter(qtbot: QtBot) -> None:
    chip = Chip(DRUMS)
    qtbot.addWidget(chip)
    chip.show()
    heard: list[float] = []
    chip.turned.connect(heard.append)
    qtbot.mouseClick(chip, Qt.MouseButton.LeftButton)
    qtbot.keyClick(chip, Qt.Key.Key_Return)
    assert heard == [0.0, 1.0]
    chip.show_value(0.0)
    assert not chip.isChecked()
    assert heard == [0.0, 1.0]
    chip.reset()
    assert chip.isChecked()


@pytest.fixture
def tempo(qtbot: QtBot) -> NumberBox:
    box = NumberBox(TEMPO, decimals=1)
    qtbot.addWidget(box)
    box.show()
    return box


def test_a_number_is_typed(qtbot: QtBot, tempo: NumberBox) -> None:
    heard: list[float] = []
    tempo.turned.connect(heard.append)
    tempo.setFocus()
    tempo.selectAll()
    qtbot.keyClicks(tempo, "97.5")
    assert heard == [], "not before it is finished"
    qtbot.keyClick(tempo, Qt.Key.Key_Return)
    assert heard == [97.5]
    tempo.show_value(130)
    assert (tempo.value(), heard) == (130, [97.5])


def test_a_number_is_dragged_and_wheeled(tempo: NumberBox) -> None:
    field = tempo.lineEdit()

    def mouse(kind: QEvent.Type, y: float) -> None:
        left = Qt.MouseButton.LeftButton
        QApplication.sendEvent(
            field, QMouseEvent(kind, QPointF(5, y), QPointF(5, y), left, left, Qt.KeyboardModifier.NoModifier)
        )

    mouse(QEvent.Type.MouseButtonPress, 10)
    mouse(QEvent.Type.MouseMove, -10)
    assert tempo.held
    mouse(QEvent.Type.MouseButtonRelease, -10)
    assert tempo.value() == pytest.approx(130)
    mouse(QEvent.Type.MouseButtonDblClick, 0)
    assert tempo.value() == 120
    for modifiers, value in (
        (Qt.KeyboardModifier.NoModifier, 121),
        (Qt.KeyboardModifier.ShiftModifier, 121.1),
    ):
        QApplication.sendEvent(
            tempo,
            QWheelEvent(
                QPointF(5, 5), QPointF(5, 5), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton, modifiers,
                Qt.ScrollPhase.NoScrollPhase, False,
            ),
        )  # fmt: skip
        assert tempo.value() == pytest.approx(value)


def test_space_in_a_number_is_the_transports(qtbot: QtBot) -> None:
    window = QWidget()
    column = QVBoxLayout(window)
    box, button = NumberBox(TEMPO), Button("Tap", "Tap")
    column.addWidget(box)
    column.addWidget(button)
    played: list[int] = []
    QShortcut(Qt.Key.Key_Space, window, lambda: played.append(1))
    pressed: list[int] = []
    button.clicked.connect(lambda: pressed.append(1))
    qtbot.addWidget(window)
    with qtbot.waitActive(window):
        window.show()
    for widget in (box.lineEdit(), button):
        widget.setFocus()
        qtbot.keyClick(widget, Qt.Key.Key_Space)
    assert played == [1, 1]
    assert pressed == []
    qtbot.keyClick(button, Qt.Key.Key_Return)
    assert pressed == [1]


def test_dice_throw_another_seed(qtbot: QtBot) -> None:
    seed = SeedBox(SEED)
    qtbot.addWidget(seed)
    heard: list[float] = []
    seed.turned.connect(heard.append)
    for _ in range(5):
        seed.randomise()
    assert len(heard) == 5
    assert all(a != b for a, b in pairwise(heard))
    assert all(0 <= value <= 999_999 for value in heard)
    seed.reset()
    assert seed.box.value() == 0


def test_every_kind_of_knob_finds_its_control() -> None:
    board = Board()
    low = KnobInfo("low", "Lowest", low=0, high=127, step=1, default=48, player=-1)
    kinds = [(GENRE, Choice), (DRUMS, Chip), (SEED, SeedBox), (TEMPO, KnobDial), (low, KnobDial)]
    for info, kind in kinds:
        assert isinstance(board.make(info), kind)
    made = board.controls[-1, "low"]
    assert isinstance(made, KnobDial)
    assert made.scale.text(made.exact) == "C3"


def test_the_board_shows_values_but_for_those_pending() -> None:
    board = Board()
    board.make(GENRE)
    board.make(TEMPO)
    turned: list[tuple[int, str, object]] = []
    board.turned.connect(lambda *turn: turned.append(turn))
    values = {"0/genre": "jazz", "band/tempo": 90.0, "5/unknown": 3.0}
    board.show_values(values, lambda player, knob: knob == "tempo")
    genre, tempo = board.controls[0, "genre"], board.controls[-1, "tempo"]
    assert isinstance(genre, Choice)
    assert isinstance(tempo, KnobDial)
    assert (genre.currentData(), tempo.exact, turned) == ("jazz", 120.0, [])
    tempo.reset()
    genre.reset()
    assert turned == [(0, "genre", "none")]


@pytest.mark.parametrize(("id", "word"), [("jazz_funk", "Jazz funk"), ("none", "None"), ("4/4", "4/4")])
def test_ids_read_as_words(id: str, word: str) -> None:
    assert pretty(id) == word


def test_a_part_is_off_auto_or_on(qtbot):
    info = KnobInfo("bass", "Bass", "choice", default="auto", choices=("off", "auto", "on"), player=-1, help="Plays")
    chip = PartChip(info)
    qtbot.addWidget(chip)
    chip.show()
    heard = []
    chip.turned.connect(heard.append)
    qtbot.mouseClick(chip, Qt.MouseButton.LeftButton)
    qtbot.keyClick(chip, Qt.Key.Key_Return)
    qtbot.keyClick(chip, Qt.Key.Key_Space)
    assert heard == ["on", "off", "auto"]
    pictures = set()
    for state in info.choices:
        chip.show_value(state)
        assert state in chip.accessibleName()
        pictures.add(bytes(chip.grab().toImage().constBits()))
    assert len(pictures) == 3, "each looks different"
    chip.reset()
    assert heard[-1] == "auto"
