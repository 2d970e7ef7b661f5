"""The programs that are measured side by side: what a program is, how it is had, and the tables of all of them.

A peer is a row here and a folder peers/NAME with a `build CACHE_DIR` script, run on first use and after any change of
its folder. A script that fails makes the peer 'skipped', with the last line it printed as the reason.
"""

import hashlib
import os
import resource
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from process import Process, free_port

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
CACHE = ROOT / "build" / "bench"
KINDS = ROOT / "tests" / "unit" / "gateway" / "transcode" / "kinds.proto"
RELEASE = Path(os.environ.get("DRAWBRIDGE_BIN_DIR", ROOT / "build" / "release")).resolve()
SERVER_CPU, LOAD_CPU = 0, 1
LONGEST_LITERAL = 2000         # of nginx's configuration


class Skipped(Exception):
    """A program cannot be had here; the text is the reason."""


@dataclass(frozen=True)
class Run:
    """What a command line may depend on."""
    cache: Path
    port: int
    upstream_port: int = 0
    workers: int = 1
    content_type: str = ""
    reply: bytes = b""

    def config(self, template):
        """Fills the @NAMES@ of a template of the peer's folder; returns the path of the result."""
        text = template.read_bytes()
        answer = b'return 200 "%s";' % self.reply.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        if len(answer) > LONGEST_LITERAL:
            (self.cache / "reply").write_bytes(self.reply)
            answer = b"root %s; error_page 405 =200 /reply; try_files /reply =404;" % os.fsencode(self.cache)
        for name, value in {b"@DIR@": os.fsencode(self.cache), b"@PORT@": b"%d" % self.port,
                            b"@UPSTREAM_PORT@": b"%d" % self.upstream_port, b"@WORKERS@": b"%d" % self.workers,
                            b"@TYPE@": self.content_type.encode(), b"@ANSWER@": answer}.items():
            text = text.replace(name, value)
        result = self.cache / template.name
        result.write_bytes(text)
        return result


@dataclass(frozen=True)
class Program:
    name: str
    argv: Callable[[Run], list]
    folder: str = ""                                  # of peers/; empty: built by this project
    binary: Callable[[], Path] | None = None          # its file, for its size
    environment: dict = field(default_factory=dict)
    upstream: str = "calculator"                      # a gateway's upstream: 'calculator' or 'plain' (HTTP/1.1)

    def cache(self):
        """Where the program's files are, after building it if need be; raises Skipped."""
        if not self.folder:
            binary = self.binary()
            if not binary.exists():
                raise Skipped(f"{os.path.relpath(binary, ROOT)} is not built")
            return CACHE
        cache = CACHE / self.folder
        stamp, wanted = cache / "stamp", _fingerprint(FOLDER / "peers" / self.folder)
        if not stamp.exists() or stamp.read_text() != wanted:
            cache.mkdir(parents=True, exist_ok=True)
            done = subprocess.run([FOLDER / "peers" / self.folder / "build", cache], capture_output=True, text=True)
            if done.returncode:
                raise Skipped((done.stderr.strip().splitlines() or ["its build script failed"])[-1])
            stamp.write_text(wanted)
        return cache

    def version(self):
        """What its build script noted, e.g. 'grpc-go 1.85.0'; empty for this project's own and for what is not built."""
        noted = CACHE / self.folder / "version"
        return noted.read_text().strip() if self.folder and noted.exists() else ""

    @contextmanager
    def started(self, cpu, wait=True, **run):
        """The program, listening unless not waited for; yields (process, port)."""
        cache, port = self.cache(), free_port()
        log = CACHE / "log" / (self.name.replace(" ", "-") + ".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with Process(self.name, self.argv(Run(cache, port, **run)), cpu, log, self.environment) as process:
            if wait:
                process.wait_listening(port)
            yield process, port


def _fingerprint(folder):
    """Of a peer's folder and of the files outside that it names."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    texts = [path.read_bytes() for path in files]
    beside = [path for path in [*sorted((FOLDER / "peers").iterdir()), FOLDER / "least_bridge.c", KINDS]
              if path.is_file() and any(path.name.encode() in text for text in texts)]
    digest = hashlib.sha256()
    for path in [*files, *beside]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _template(path):
    return FOLDER / "peers" / path


DRAWBRIDGE = Program(
    "drawbridge", binary=lambda: RELEASE / "drawbridge",
    argv=lambda run: [RELEASE / "drawbridge", "serve", "--upstream", f"127.0.0.1:{run.upstream_port}",
                      "--listen", f"127.0.0.1:{run.port}", "--admin", "off", "--workers", run.workers])

CALCULATOR = Program(
    "calculator", binary=lambda: RELEASE / "calculator",
    argv=lambda run: [RELEASE / "calculator", "--listen", f"127.0.0.1:{run.port}", "--workers", run.workers])

PLAIN_UPSTREAM = Program(
    "nginx answering", folder="nginx",
    argv=lambda run: [run.cache / "nginx", "-p", run.cache, "-c", run.config(_template("nginx/upstream.conf"))])


def _envoy(name, config):
    return Program(
        name, folder="envoy", binary=lambda: CACHE / "envoy" / "envoy",
        argv=lambda run: [run.cache / "envoy", "--concurrency", run.workers, "--disable-hot-restart", "-l", "error",
                          "-c", run.config(_template(f"envoy/{config}"))])


NGINX = Program(
    "nginx plain", folder="nginx", upstream="plain", binary=lambda: CACHE / "nginx" / "nginx",
    argv=lambda run: [run.cache / "nginx", "-p", run.cache, "-c", run.config(_template("nginx/proxy.conf"))])
ENVOY_GRPC_WEB = _envoy("Envoy grpc_web", "grpc_web.yaml")
ENVOY_TRANSCODER = _envoy("Envoy grpc_json_transcoder", "transcoder.yaml")
LEAST_BRIDGE = Program(
    "least bridge", folder="least_bridge",
    argv=lambda run: [run.cache / "least_bridge", run.port, run.upstream_port])


def _go_gateway(name):
    return Program(name, folder=name, environment={"GOMAXPROCS": "1"},
                   argv=lambda run: [run.cache / "gateway", f"127.0.0.1:{run.port}", f"127.0.0.1:{run.upstream_port}"])


GRPC_GATEWAY = _go_gateway("grpc-gateway")
VANGUARD = _go_gateway("vanguard")

GRPC_GO = Program("grpc-go", folder="grpc-go", environment={"GOMAXPROCS": "1"},
                  argv=lambda run: [run.cache / "server", f"127.0.0.1:{run.port}"])
GRPC_CPP = Program("grpc C++ callback", folder="grpc-cpp",
                   argv=lambda run: [run.cache / "server", f"127.0.0.1:{run.port}"])
TONIC = Program("tonic", folder="tonic",
                argv=lambda run: [run.cache / "server", f"127.0.0.1:{run.port}"])


def _bench_program(name):
    path = RELEASE / "tests" / name
    return Program("drawbridge", binary=lambda: path, argv=lambda run: [path])


# What turns JSON into protobuf and back: the command to which codec.py adds its arguments.
CODEC = _bench_program("codec")
PROTOBUF_CPP = Program("protobuf C++", folder="protobuf-cpp", argv=lambda run: [run.cache / "codec"])
PROTOBUF_PYTHON = Program("json_format", folder="protobuf-python",
                          argv=lambda run: ["python3", "-B", run.cache / "codec.py"])

ROUTES = _bench_program("routes")
MALLOC_COUNT = RELEASE / "tests" / "libmalloc_count.so"

GATEWAYS = [DRAWBRIDGE, NGINX, ENVOY_GRPC_WEB, ENVOY_TRANSCODER, LEAST_BRIDGE, GRPC_GATEWAY, VANGUARD]
SERVERS = [CALCULATOR, TONIC, GRPC_GO, GRPC_CPP]
CODECS = [CODEC, PROTOBUF_CPP, PROTOBUF_PYTHON]


def native_upstream(name):
    """The gRPC server behind the gateways, by its name in SERVERS; raises Skipped."""
    for server in SERVERS:
        if server.name == name:
            server.cache()
            return server
    raise Skipped(f"no server is called {name}")


@contextmanager
def gateway_started(gateway, native, scenario, workers=1, wait=True):
    """A gateway on one core with a fresh upstream on the other; yields (process, port, upstream process)."""
    with ExitStack() as stack:
        server = PLAIN_UPSTREAM if gateway.upstream == "plain" else scenario.upstream or native
        upstream, upstream_port = stack.enter_context(server.started(
            LOAD_CPU, content_type=scenario.content_type, reply=scenario.reply))
        process, port = stack.enter_context(gateway.started(
            SERVER_CPU, wait, upstream_port=upstream_port, workers=workers))
        yield process, port, upstream


def raise_descriptor_limit():
    """For many connections, here and in the programs started from here; returns the limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
