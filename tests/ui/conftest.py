"""A window, its theme, and an engine that only stands in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from instrument.ui import theme
from instrument.ui.link import LinkState
from instrument.ui.window import Window
from tests.ui.stand_in import EngineStandIn


@pytest.fixture(autouse=True)
def look(qapp: QApplication) -> None:
    """Every widget is tested in the clothes it wears."""
    if theme.zoom() != 1.0 or not qapp.styleSheet():
        theme.apply(qapp)


@pytest.fixture
def engine() -> EngineStandIn:
    """The first engine a window gets."""
    return EngineStandIn()


@pytest.fixture
def engines(engine: EngineStandIn) -> list[EngineStandIn]:
    """All engines a window got, in order."""
    return [engine]


@pytest.fixture
def window(
    qtbot: QtBot, engines: list[EngineStandIn], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Window]:
    """A running window; its engine is `engines[-1]`."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def connect(first: bool) -> EngineStandIn:
        if not first:
            engines.append(EngineStandIn())
        return engines[-1]

    made = Window(connect, QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
    qtbot.addWidget(made)
    made.show()
    made.start()
    qtbot.waitUntil(lambda: made.link.state == LinkState.RUNNING and bool(made.models), timeout=5000)
    yield made
    made.close()


@pytest.fixture(params=[1.0, 1.5])
def zoomed(request: pytest.FixtureRequest, qapp: QApplication, window: Window) -> Iterator[Window]:
    """A running window as it is at first, and zoomed."""
    if request.param != 1.0:
        theme.apply(qapp, 1.25)
        window.appearance.zoom(1)
    yield window
    theme.apply(qapp)
