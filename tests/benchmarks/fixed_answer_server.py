"""A service in a separate process with one fixed answer per call, so that CPU time is the caller's alone."""

from __future__ import annotations

import subprocess
import sys

SERVER = r"""
import socket, sys, threading
reply = sys.stdin.buffer.read()
answer = (b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n"
          b"x-ci-request-id: NTk0MjdmODlf\r\nServer: tencent-ci\r\n\r\n" % len(reply)) + reply

def talk(line):
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rest = b""
    while True:
        while b"\r\n\r\n" not in rest:
            more = line.recv(65536)
            if not more:
                return
            rest += more
        head, _, rest = rest.partition(b"\r\n\r\n")
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15:].split(b"\r\n", 1)[0]) if at >= 0 else 0
        while len(rest) < length:
            rest += line.recv(65536)
        rest = rest[length:]
        line.sendall(answer)

door = socket.create_server(("127.0.0.1", 0))
print(door.getsockname()[1], flush=True)
while True:
    threading.Thread(target=talk, args=(door.accept()[0],), daemon=True).start()
"""


class Server:
    """The little server that gives one reply, while the block lasts. Enters with its port."""

    def __init__(self, reply: bytes) -> None:
        self._reply = reply

    def __enter__(self) -> int:
        self._process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(self._reply)
        self._process.stdin.close()
        return int(self._process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()
