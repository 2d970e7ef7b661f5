"""The processes that a program under test starts: an upstream of the conformance suite, and gateways in front of it.  All end
with this process, whichever way it ends.  The runner does not look at how they end: who does finds a gateway's log in the folder
CONFORMANCE_LOGS, and a file there named fault-* for each that ended badly."""
import ctypes
import http.client
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import framing

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOOLS = ROOT / "build/test-deps/bin"
DESCRIPTORS = ROOT / "build/test-deps/conformance.binpb"
BIN_DIR = pathlib.Path(os.environ.get("DRAWBRIDGE_BIN_DIR", ROOT / "build/dev"))

LISTENING = re.compile(rb"^listening on 127\.0\.0\.1:(\d+) \((http|admin)\)$", re.M)
UNLIMITED = 2**31 - 1


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def end_on_signal():
    """SIGTERM, by which the runner ends us, becomes an ordinary exit: `finally` runs, once."""
    def end(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)


def start(program, *arguments):
    """A program of the suite, with pipes at both ends."""
    return subprocess.Popen([TOOLS / program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            preexec_fn=_die_with_parent)


class Upstream:
    """A server of the suite, speaking native gRPC over HTTP/2 with prior knowledge."""

    def __init__(self, program, max_message_bytes):
        self.process = start(program)
        # ServerCompatRequest: protocol, http_version, message_receive_limit
        framing.write(self.process.stdin, framing.encode([(1, framing.GRPC), (2, framing.HTTP_2), (6, max_message_bytes)]))
        self.process.stdin.close()
        self.port = framing.get(framing.decode(framing.read(self.process.stdout)), 2, 0)

    def stop(self):
        self.process.kill()  # asked to end, it waits up to 5 s for connections that have not been used
        self.process.wait()


class Gateway:
    """`drawbridge serve` in front of one port."""

    def __init__(self, upstream_port, *flags):
        folder = os.environ.get("CONFORMANCE_LOGS")
        self.log = tempfile.NamedTemporaryFile(prefix="gateway-", suffix=".log", dir=folder, delete=not folder)
        self.process = subprocess.Popen(
            [BIN_DIR / "drawbridge", "serve", "--upstream", f"127.0.0.1:{upstream_port}", "--listen", "127.0.0.1:0",
             "--admin", "127.0.0.1:0", "--workers", "1", "--console", "off", "--descriptors", DESCRIPTORS, *map(str, flags)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=_die_with_parent)
        self.port = self._wait_until_ready()

    def _wait_until_ready(self):
        """The port of its HTTP listener."""
        end = time.monotonic() + 8
        while time.monotonic() < end and self.process.poll() is None:
            ports = {role: int(port) for port, role in LISTENING.findall(self.text())}
            self.admin = ports.get(b"admin")
            if len(ports) == 2 and self._ask("/readyz")[0] == 200:
                return ports[b"http"]
            time.sleep(0.005)
        self.process.kill()
        raise RuntimeError("the gateway is not ready: " + self.text().decode(errors="replace")[-2000:])

    def _ask(self, path):
        """(status, body) from the admin listener; status 0 when it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=1)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        except OSError as failure:
            return 0, str(failure)
        finally:
            connection.close()

    def text(self):
        return os.pread(self.log.fileno(), 1 << 24, 0)

    def stop(self):
        """Ends it; a call that is still open once all clients have gone keeps it from ending and is a fault."""
        open_things = ""
        self.process.terminate()
        try:
            code = self.process.wait(4)  # the runner waits 5 s for us
        except subprocess.TimeoutExpired:
            open_things = "\n".join(line for line in self._ask("/metrics")[1].splitlines() if "_open" in line)
            self.process.kill()
            self.process.wait()
            code = "SIGKILL, 4 s after SIGTERM"
        if code and os.environ.get("CONFORMANCE_LOGS"):
            fault = pathlib.Path(self.log.name).with_name(f"fault-{self.process.pid}.txt")
            fault.write_text(f"gateway ended with {code}: {self.text().decode(errors='replace')[-6000:]}\n{open_things}")
        return not code
