"""A name server for tests (RFC 1035), on loopback over UDP: it knows the addresses that a test gives it, and can be slow, silent
or wrong.  Standard library only."""
import socket
import struct
import threading
import time

TYPE_A, NXDOMAIN, SERVFAIL = 1, 3, 2


class NameServer:
    """`names` maps a name to its IPv4 addresses; a name that is not there does not exist.  `delay` seconds pass before an
    answer; `silent`: there is none; `broken`: SERVFAIL.  `asked` counts questions."""

    def __init__(self, **names):
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.delay, self.silent, self.broken, self.asked = 0.0, False, False, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def target(self, name, port):
        return f"dns://{self.address}/{name}:{port}"

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode().lower())
            at += 1 + question[at]
        kind = struct.unpack(">H", question[at + 1:at + 3])[0]
        addresses = self.names.get(".".join(labels))
        code = SERVFAIL if self.broken else NXDOMAIN if addresses is None else 0
        found = addresses if code == 0 and kind == TYPE_A else []
        records = b"".join(struct.pack(">HHHIH", 0xc00c, TYPE_A, 1, 60, 4) + socket.inet_aton(a) for a in found)
        return question[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(found), 0, 0) + question[12:at + 5] + records

    def _run(self):
        while True:
            question, peer = self._socket.recvfrom(512)
            if not question:
                return
            self.asked += 1
            if self.silent:
                continue
            time.sleep(self.delay)
            self._socket.sendto(self._answer(question), peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()
