"""A name server on loopback that says what it is told to, as a cluster's does whose pods come and go."""

import asyncio
import socket
import struct
from types import TracebackType
from typing import Any, Self

_HEADER_BYTES = 12
_ANSWER = 0x8580
"""Flags: an answer, of the authority, that may recurse."""
_IPV4, _INTERNET = 1, 1


class NameServer(asyncio.DatagramProtocol):
    """Says of every name that it stands for `addresses`.

    Attributes:
        addresses: IPv4.
        port: Of UDP, once it is entered.
    """

    def __init__(self, *addresses: str) -> None:
        """Listens when it is entered."""
        self.addresses = addresses
        self.port = 0

    async def __aenter__(self) -> Self:
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Answers a question."""
        end = data.index(0, _HEADER_BYTES) + 5  # Behind the name come its type and its class.
        (kind,) = struct.unpack(">H", data[end - 4 : end - 2])
        records = [socket.inet_aton(each) for each in self.addresses] if kind == _IPV4 else []
        header = data[:2] + struct.pack(">HHHHH", _ANSWER, 1, len(records), 0, 0)
        name = struct.pack(">H", 0xC000 | _HEADER_BYTES)  # As in the question.
        answers = [name + struct.pack(">HHIH", _IPV4, _INTERNET, 0, len(each)) + each for each in records]
        self._transport.sendto(b"".join((header, data[_HEADER_BYTES:end], *answers)), addr)
