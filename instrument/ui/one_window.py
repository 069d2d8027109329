"""One window for each state folder: a second start brings the first window to the front and ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLockFile, QObject, Qt, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket
from PySide6.QtWidgets import QWidget

from instrument.engine.ipc.instance import address
from instrument.errors import HocketError

WAIT_MS = 3000  # how long a window may take to answer
READ_MS = 200  # how long another start may take to say what it wants
TOKEN = "XDG_ACTIVATION_TOKEN"  # by which Wayland lets a window come to the front


class OneWindow(QObject):
    """The claim on the one window. `called` is emitted with an activation token when another start asks for it."""

    called = Signal(str)

    def __init__(self, lock: QLockFile, name: str) -> None:
        """lock: held; name: address at which other starts may ask."""
        super().__init__()
        self._lock, self._name = lock, name
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)

    def listen(self) -> None:
        """Answer other starts from now on. Needs the application, whose event loop does it."""
        QLocalServer.removeServer(self._name)  # of a window that was killed; the lock shows that there is no other
        self._server.listen(self._name)

    def close(self) -> None:
        """Give up the claim."""
        self._server.close()
        self._lock.unlock()

    def _answer(self) -> None:
        caller = self._server.nextPendingConnection()
        while not caller.canReadLine() and caller.waitForReadyRead(READ_MS):
            pass  # it writes as soon as it is connected
        token = bytes(caller.readLine(1000).data()).decode(errors="replace").strip()
        caller.write(b"shown\n")
        caller.waitForBytesWritten(READ_MS)
        caller.deleteLater()
        self.called.emit(token)


def claim(state: Path) -> OneWindow | None:
    """Claim the one window of this state folder. None if another process has it: it was asked to come to the front.

    Raises HocketError if the other one does not answer.
    """
    lock = QLockFile(str(state / "window.lock"))
    lock.setStaleLockTime(0)  # a lock counts as long as its process lives
    name = address(state, "window")[1]
    if lock.tryLock(0):
        return OneWindow(lock, name)
    if not _call(name):
        raise HocketError(
            f"a window of Hocket is open (process {lock.getLockInfo()[0]}), but does not answer: close it, or end it"
        )
    return None


def _call(name: str) -> bool:
    """Ask the window that listens at `name` to come to the front. Returns whether it answered."""
    app = QCoreApplication.instance() or QCoreApplication(sys.argv[:1])
    other = QLocalSocket()
    other.connectToServer(name)
    other.waitForConnected(WAIT_MS)
    other.write(os.environ.get(TOKEN, "").encode() + b"\n")
    answered = other.waitForReadyRead(WAIT_MS)
    other.abort()
    del other  # before the application: a socket cannot be closed after it
    del app
    return answered


def come_forward(window: QWidget, token: str = "") -> None:
    """Show a window in front of the others, also if it was minimised. token: from the start that asked for it."""
    if token:
        os.environ[TOKEN] = token
    window.setWindowState((window.windowState() & ~Qt.WindowState.WindowMinimized) | Qt.WindowState.WindowActive)
    window.show()
    window.raise_()
    window.activateWindow()
