"""What `hocket play --headless` tells systemd when it runs as a service (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

READY = "READY=1"
ALIVE = "WATCHDOG=1"  # has to come within WatchdogSec of the unit, or the service is started again
STOPPING = "STOPPING=1"


def notify(state: str) -> None:
    """Send one of the states above; nothing happens where no service manager listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract socket
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.sendto(state.encode(), address)
