"""The browser of patches."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from instrument.engine.ipc.messages import LoadPatch, Press, RemovePatch, SavePatch
from instrument.engine.performance.patches import Patch, default_patch, load_patch, remove_patch, save_patch
from instrument.errors import HocketError
from instrument.ui.patches.browser import PatchBrowser
from instrument.ui.window import Window
from tests.ui.stand_in import EngineStandIn


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCKET_HOME", str(tmp_path / "home"))
    save_patch(Patch(about="Rain on a tin roof"), "Rain")


@pytest.fixture
def browser(window: Window) -> PatchBrowser:
    window.patches.browser.open_list()
    return window.patches.browser


def names(browser: PatchBrowser) -> list[str]:
    return [str(browser.list.item(row).data(Qt.ItemDataRole.UserRole)) for row in range(browser.list.count())]


def choose(browser: PatchBrowser, name: str) -> None:
    browser.list.setCurrentRow(names(browser).index(name))


def test_it_finds_patches_by_words_of_their_descriptions(qtbot: QtBot, browser: PatchBrowser) -> None:
    assert {"First light", "Rain", "Undertow"} <= set(names(browser))
    qtbot.keyClicks(browser.search, "ROOF tin")
    assert names(browser) == ["Rain"]
    assert "Rain on a tin roof" in browser.list.item(0).text()
    qtbot.keyClicks(browser.search, " xyz")
    assert names(browser) == []
    assert not browser.load.isEnabled()
    assert "No patch" in browser.about.text()


def test_a_patch_is_loaded_by_keys_alone(qtbot: QtBot, browser: PatchBrowser, engine: EngineStandIn) -> None:
    qtbot.keyClicks(browser.search, "rain")
    qtbot.keyClick(browser.search, Qt.Key.Key_Return)
    assert engine.commands(LoadPatch) == [LoadPatch("Rain")]


def test_tags_and_favourites(browser: PatchBrowser) -> None:
    choose(browser, "Undertow")
    browser.favourite.click()
    assert browser.list.currentItem().text().startswith("\u2605 Undertow")
    for tag, some, other in (
        ("favourites", "Undertow", "Rain"),
        ("yours", "Rain", "Undertow"),
        ("jazz", "Blue trio", "Rain"),
    ):
        browser.tag.setCurrentIndex(browser.tag.findData(tag))
        browser._show_list()
        assert some in names(browser)
        assert other not in names(browser)
    browser.tag.setCurrentIndex(browser.tag.findData("favourites"))
    browser._show_list()
    browser.favourite.click()
    assert names(browser) == []


def test_previous_next_and_random(browser: PatchBrowser, engine: EngineStandIn) -> None:
    for button in browser.findChildren(QPushButton):
        if button.text() in ("Previous", "Next", "Random"):
            button.click()
    assert engine.commands(Press) == [Press("patch/previous"), Press("patch/next"), Press("patch/random")]


def test_a_default_patch(window: Window, browser: PatchBrowser, engine: EngineStandIn) -> None:
    window.patches.new()
    choose(browser, "Rain")
    browser.default.click()
    assert default_patch() == "Rain"
    window.patches.new()
    remove_patch("Rain")
    assert default_patch() == "", "a default that is gone is none"
    assert engine.commands(LoadPatch) == [LoadPatch("First light"), LoadPatch("Rain")]


def answer(window: Window, text: str) -> None:
    (box,) = [box for box in window.findChildren(QMessageBox) if box.isVisible()]
    assert "came with Hocket" in box.text()
    next(button for button in box.buttons() if text in button.text()).click()


def test_saving_over_a_patch_that_came_with_hocket_asks_and_is_put_back(
    qtbot: QtBot, window: Window, browser: PatchBrowser, engine: EngineStandIn
) -> None:
    engine.patch = "Undertow"
    engine.describe()
    qtbot.waitUntil(lambda: window.patches._patch == "Undertow")
    window.patches.save()
    answer(window, "Cancel")
    assert not engine.commands(SavePatch)
    qtbot.waitUntil(lambda: not [box for box in window.findChildren(QMessageBox) if box.isVisible()])
    window.patches.save()
    answer(window, "in its place")
    assert engine.commands(SavePatch) == [SavePatch("Undertow")]
    save_patch(Patch(about="Mine"), "Undertow")
    browser.open_list()
    choose(browser, "Undertow")
    assert browser.remove.text() == "Put back as it came"
    browser.remove.click()
    assert engine.commands(RemovePatch) == [RemovePatch("Undertow")]
    window.patches.save()  # over one's own it does not ask
    assert len(engine.commands(SavePatch)) == 2


def test_a_removed_patch_is_kept_and_what_came_with_hocket_cannot_be_removed() -> None:
    shipped = load_patch("Undertow")
    save_patch(Patch(about="Mine"), "Undertow")
    kept = remove_patch("Undertow")
    assert load_patch("Undertow") == shipped
    assert load_patch(str(kept)).about == "Mine"
    for name in ("Undertow", "../Undertow", "none"):
        with pytest.raises(HocketError, match="no patch of yours"):
            remove_patch(name)
