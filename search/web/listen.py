"""The socket of a server, taken before anything is read, so that a port in use is told at once."""

from __future__ import annotations

import socket

from drsl.features.errors import SettingError

__all__ = ["listen"]


def listen(host: str, port: int) -> socket.socket:
    """Takes a port.

    Args:
        host: a name or address of this machine.
        port: a number; 0 takes a free one.

    Returns:
        A socket that listens; callers that come before it is served wait.

    Raises:
        SettingError: the port is in use or may not be taken, or the host is not this machine's.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=64)
    except OSError as error:
        raise SettingError(
            f"cannot listen at {host}, port {port} ({error.strerror}): name another with --host and --port"
        ) from None
