"""What the integration tests share: the real binaries on free ports, their metrics, third-party dependencies, and a small
registry of tests with one time limit each and one summary line.  Standard library only.

A lane is a file test_NAME.py with functions marked @test and a last line main().  A test fails by an exception and is
skipped by raising Skip.  Servers are context managers: leaving one without an exception asserts that it ended in order."""
import contextlib
import ctypes
import fcntl
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN_DIR = pathlib.Path(os.environ.get("DRAWBRIDGE_BIN_DIR", ROOT / "build/dev")).resolve()
CLIENTS = ROOT / "tests/clients"
DEPS = ROOT / "build/test-deps"
_binaries = BIN_DIR
SCHEMA = BIN_DIR / "proto/calculator.binpb"

LISTENING = re.compile(r"^listening on (\S+) \((http|admin|grpc)\)$", re.M)
SANITIZER = re.compile(r"(ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:|WARNING: ThreadSanitizer).*")
# Gauges that count live work.  Connections to the upstream may stay open: they are judged apart.
LIVE = re.compile(r"_(open|queued)$|^drawbridge_buffered_bytes$")
UPSTREAM_CONNECTIONS = "drawbridge_upstream_connections_open"
INSTALL_SECONDS = 400


class Skip(Exception):
    """The test cannot run here; the text says why."""


class Late(Exception):
    """A time limit has passed."""


def wait_for(what, condition, seconds=5.0, every=0.01):
    """The first true value of condition(); Late when there is none in time.  `what` is a text or gives one."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Late(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(every)


def equal(found, wanted, what="value"):
    assert found == wanted, f"{what} is {found!r}, not {wanted!r}"


# --- programs -------------------------------------------------------------------------------------------------------------

def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; servers are started by the main thread only


def use_binaries(folder):
    """Other binaries than those of BIN_DIR from here on."""
    global _binaries
    _binaries = pathlib.Path(folder)


def program(name):
    path = _binaries / name
    if not path.exists():
        raise RuntimeError(f"{path} is not built")
    return path


class Server:
    """One process that prints "listening on ADDR:PORT (role)" on standard error."""

    def __init__(self, argv, roles, environment=None):
        self.argv = [str(a) for a in argv]
        self.name = pathlib.Path(self.argv[0]).name
        self._log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, cwd=ROOT, preexec_fn=_die_with_parent,
            env={**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1", **(environment or {})})
        self.addresses = {}
        self.crashed = self.ending = False
        try:
            wait_for(lambda: f"{self.name} does not listen: {self.log()[-2000:]}", lambda: self._find(roles), 20)
        except BaseException:
            self.kill()
            raise

    def _find(self, roles):
        self.addresses = {role: address for address, role in LISTENING.findall(self.log())}
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode} at start: {self.log()[-2000:]}")
        return all(role in self.addresses for role in roles)

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        try:
            if not failure:
                self.stop()
        finally:
            self.kill()

    def log(self):
        """Everything printed so far."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def events(self, name, **fields):
        """The JSON log lines of that event that have these fields."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [e for e in lines if e.get("event") == name and all(e.get(k) == v for k, v in fields.items())]

    def port(self, role):
        return int(self.addresses[role].rpartition(":")[2])

    def check_log(self):
        found = SANITIZER.search(self.log())
        assert not found, f"{self.name}: {self.log()[found.start():found.start() + 4000]}"

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        self.ending = True

    def crash(self):
        """SIGKILL, as part of a test."""
        self.kill()
        self.crashed = True

    def wait(self, seconds=20):
        """The exit status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Late(f"{self.name} has not ended {seconds} s later: {self.log()[-1000:]}") from None

    def stop(self, status=0):
        """SIGTERM, and everything must end well: exit status, no report of a sanitizer (leaks are found at exit)."""
        if self.crashed:
            return
        if not self.ending:
            self.terminate()
        code = self.wait()
        self.check_log()
        assert code == status, f"{self.name} ended with {code}, not {status}: {self.log()[-2000:]}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Calculator(Server):
    """The reference server.  It logs every call, so that tests see what the backend saw."""

    def __init__(self, *flags, listen="127.0.0.1:0"):
        super().__init__([program("calculator"), "--listen", listen, "--log-level", "info", "--log-format", "json", *flags],
                         ["grpc"])
        self.address = self.addresses["grpc"]

    def calls(self, method, status=None):
        """Finished calls as the server logged them."""
        return self.events("call", method=method, **({"status": status} if status else {}))


class Gateway(Server):
    """`drawbridge serve`; two workers unless the flags say otherwise.  `upstream` is a target or a list of them."""

    def __init__(self, upstream, *flags, ready=True, workers=2):
        upstreams = [upstream] if isinstance(upstream, str) else upstream
        self.workers, self.upstreams = workers, len(upstreams)
        flags = [*(word for target in upstreams for word in ("--upstream", target)), *flags]
        super().__init__([program("drawbridge"), "serve", "--listen", "127.0.0.1:0",
                          "--admin", "127.0.0.1:0", "--workers", workers, "--log-format", "json", *flags], ["http", "admin"])
        self.address = self.addresses["http"]
        self.url = "http://" + self.address
        if ready:
            try:
                self.wait_ready()
            except BaseException:
                self.kill()
                raise

    def admin(self, path, seconds=5):
        """(status, body) from the admin listener."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port("admin"), timeout=seconds)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        except OSError as failure:
            raise RuntimeError(f"the admin listener does not answer ({failure}), exit status {self.process.poll()}: "
                               f"{self.log()[-3000:]}") from None
        finally:
            connection.close()

    def wait_ready(self, seconds=10):
        wait_for(lambda: f"/readyz: {self.admin('/readyz')}; log: {self.log()[-1500:]}",
                 lambda: self.admin("/readyz")[0] == 200, seconds, 0.02)

    def metrics(self):
        """{name or name{labels}: value}"""
        lines = (line.rpartition(" ") for line in self.admin("/metrics")[1].splitlines() if line and line[0] != "#")
        return {name: float(value) for name, _, value in lines}

    def metric(self, name):
        """A value of which the series may have labels: their sum."""
        return sum(v for k, v in self.metrics().items() if k.partition("{")[0] == name)

    def live(self):
        """Gauges of live work that are not zero, and more connections than one to each upstream and worker."""
        values = self.metrics()
        assert UPSTREAM_CONNECTIONS in values and "drawbridge_exchanges_open" in values, f"gauges are missing: {values}"
        gauges = {k: v for k, v in values.items() if LIVE.search(k.partition("{")[0]) and v != 0}
        if 0 <= gauges.get(UPSTREAM_CONNECTIONS, 0) <= self.workers * self.upstreams:
            gauges.pop(UPSTREAM_CONNECTIONS, None)
        return gauges

    def assert_nothing_live(self, seconds=3.0):
        wait_for(lambda: f"still live in the gateway: {self.live()}", lambda: not self.live(), seconds, 0.02)
        self.check_log()

    def stop(self, status=0):
        if not self.ending and not self.crashed:
            self.assert_nothing_live()
        super().stop(status)  # one that drains ends only when nothing is live


@contextlib.contextmanager
def bridge(*flags, workers=2):
    """(calculator, gateway), connected and ready."""
    with Calculator("--workers", "2") as calculator, Gateway(calculator.address, *flags, workers=workers) as gateway:
        yield calculator, gateway


def run(argv, seconds=30, data=b"", environment=None):
    """A finished process with bytes in stdout and stderr."""
    try:
        done = subprocess.run([str(a) for a in argv], input=data, capture_output=True, timeout=seconds, cwd=ROOT,
                              env={**os.environ, **(environment or {})})
    except subprocess.TimeoutExpired as late:
        raise Late(f"{pathlib.Path(str(argv[0])).name} runs for more than {seconds} s; it printed "
                   f"{(late.stdout or b'')[-800:]} {(late.stderr or b'')[-800:]}") from None
    text = done.stderr.decode(errors="replace")
    found = SANITIZER.search(text)
    assert not found, text[:4000]
    return done


def run_scenarios(argv, seconds=60, environment=None):
    """Runs a client program that prints "ok NAME" or "not ok NAME: reason" per scenario; returns how many were ok.
    Raises with all failures, or when the program ended badly or tested nothing."""
    done = run(argv, seconds, environment=environment)
    lines = done.stdout.decode(errors="replace").splitlines()
    bad = [line for line in lines if line.startswith("not ok ")]
    good = [line for line in lines if line.startswith("ok ")]
    assert not bad, "\n".join(bad)
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}"
    assert good, "the program ran no scenario"
    return len(good)


def each_scenario(argv, target, after, environment=None):
    """Runs each scenario that the program lists in a process of its own, and after() behind each.  Returns their number;
    raises with all failures."""
    names = run([*argv, "--list"], environment=environment).stdout.decode().split()
    assert names, "the program has no scenario"
    failures, ran = [], 0
    for name in names:
        done = run([*argv, target, name], 20, environment=environment)
        output = done.stdout.decode(errors="replace").strip()
        if output.startswith("skip "):
            print(output, flush=True)
            _skipped.append(name)
            continue
        ran += 1
        if output != f"ok {name}" or done.returncode:
            failures.append(f"{output} ({done.returncode}) {done.stderr.decode(errors='replace')[:900]}")
        try:
            after()
        except Late as late:
            failures.append(f"after {name}: {late}")
    assert not failures, "\n".join(failures)
    return ran


class Reply:
    """What curl got.  Header names are lower case; `fields` keeps duplicates, `headers` the last of each."""

    def __init__(self, raw, exit_status):
        self.exit_status = exit_status
        self.status, self.fields, rest = 0, [], raw
        while rest.startswith(b"HTTP/"):
            head, _, rest = rest.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            self.status = int(lines[0].split()[1])
            self.fields = [(n.strip().lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines[1:])]
        self.headers = dict(self.fields)
        self.body = rest

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]}>"


def curl(url, data=None, *headers, method=None, options=(), seconds=30):
    """One request by curl over HTTP/1.1: a POST when there is data."""
    argv = ["curl", "-s", "-S", "-i", "-N", "--http1.1", "--path-as-is", "--max-time", str(seconds), *options]
    if method == "HEAD":
        argv.append("--head")
    elif method:
        argv += ["-X", method]
    for header in headers:
        argv += ["-H", header]
    if data is not None:
        argv += ["--data-binary", "@-", "-H", "Expect:"]
        if not any(h.lower().startswith("content-type") for h in headers):
            argv += ["-H", "content-type: application/json"]
    done = run([*argv, url], seconds + 5, (data.encode() if isinstance(data, str) else data) or b"")
    return Reply(done.stdout, done.returncode)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- dependencies, installed once into build/test-deps --------------------------------------------------------------------

@contextlib.contextmanager
def _install(name, *inputs):
    """Yields True when what depends on these files, and on the folder (as the programs of a Python environment do), is to be
    made anew; remembers it when the body succeeds."""
    DEPS.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(b"\0".join([str(DEPS).encode(), *(pathlib.Path(i).read_bytes() for i in inputs)])).hexdigest()
    stamp = DEPS / (name + ".stamp")
    with open(DEPS / (name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fresh = stamp.exists() and stamp.read_text() == digest
        yield not fresh
        stamp.write_text(digest)


def _installed(what, argv, environment=None, cwd=ROOT):
    """Runs one step of an installation; Skip when it fails (most often there is no network)."""
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)  # a test's time limit does not count its installation
    try:
        done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=INSTALL_SECONDS, env={**os.environ, **(environment or {})},
                              cwd=cwd)
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)
    if done.returncode:
        words = done.stdout.decode(errors="replace").strip().splitlines()
        raise Skip(f"cannot install {what}: {words[-1][:300] if words else done.returncode}")


def python_clients():
    """The interpreter of a virtual environment with grpcio and with the code generated from both protos."""
    base = CLIENTS / "python"
    venv = DEPS / "venv"
    with _install("python", base / "requirements.txt") as needed:
        if needed:
            shutil.rmtree(venv, ignore_errors=True)
            _installed("a Python environment (python3-venv)", [sys.executable, "-m", "venv", venv])
            _installed("grpcio", [venv / "bin/pip", "install", "-q", "-r", base / "requirements.txt"])
    generated = DEPS / "generated"
    with _install("generated", base / "requirements.txt", base / "tutorial.proto", ROOT / "proto/calculator.proto") as needed:
        if needed:
            shutil.rmtree(generated, ignore_errors=True)
            # Both protos define Calculator: each has a folder of its own and each client imports one.
            for folder, include, names in (
                    ("tutorial", base, ["tutorial.proto"]),
                    ("full", ROOT / "proto", ["calculator.proto"])):  # what it imports comes with googleapis-common-protos
                (generated / folder).mkdir(parents=True)
                _installed("generated code", [venv / "bin/python", "-m", "grpc_tools.protoc", f"-I{include}",
                                              f"--python_out={generated / folder}", f"--grpc_python_out={generated / folder}",
                                              *names])
    return venv / "bin/python"


def python_tools(name):
    """The folder of the programs that tests/clients/NAME/requirements.txt installs into an environment of its own."""
    requirements = CLIENTS / name / "requirements.txt"
    venv = DEPS / f"venv-{name}"
    with _install("python-" + name, requirements) as needed:
        if needed:
            shutil.rmtree(venv, ignore_errors=True)
            _installed("a Python environment (python3-venv)", [sys.executable, "-m", "venv", venv])
            _installed(name, [venv / "bin/pip", "install", "-q", "-r", requirements])
    return venv / "bin"


def node_clients():
    """A folder with the Node.js clients and what they import."""
    node = shutil.which("node")
    if not node or not shutil.which("npm"):
        raise Skip("node or npm is not installed")
    version = run([node, "--version"]).stdout.decode().strip()
    if int(version[1:].split(".")[0]) < 18:
        raise Skip(f"Node.js is {version}, 18 is needed")
    folder = DEPS / "node"
    folder.mkdir(parents=True, exist_ok=True)
    for source in (CLIENTS / "node").iterdir():
        if source.suffix in (".mjs", ".json") and source.is_file():
            shutil.copy2(source, folder)
    with _install("node", CLIENTS / "node/package.json") as needed:
        if needed:
            shutil.rmtree(folder / "node_modules", ignore_errors=True)
            _installed("npm packages", ["npm", "install", "--prefix", folder, "--no-package-lock", "--no-audit", "--no-fund",
                                        "--ignore-scripts", "--loglevel=error"])
    return folder


def go_program(package, base=CLIENTS / "go"):
    """A program of a Go module of the tests: our client, or a tool at the version that its go.mod names."""
    go = shutil.which("go")
    wanted = re.search(r"^go (\d+)\.(\d+)", (base / "go.mod").read_text(), re.M)
    if not go:
        raise Skip("Go is not installed")
    environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    found = re.search(r"go(\d+)\.(\d+)", run([go, "version"], environment=environment).stdout.decode())
    if [int(n) for n in found.groups()] < [int(n) for n in wanted.groups()]:
        raise Skip(f"Go is {found[0]}, {wanted[0]} or newer is needed")
    name = package.rpartition("/")[2]
    sources = sorted(base.rglob("*.go")) if package.startswith(".") else []
    with _install("go-" + name, base / "go.mod", base / "go.sum", *sources) as needed:
        if needed:
            (DEPS / "bin").mkdir(exist_ok=True)  # else go takes the folder's name for the program's
            _installed(name, [go, "build", "-p", "2", "-o", DEPS / "bin" / name, package], environment, base)
    return DEPS / "bin" / name


# --- the registry ---------------------------------------------------------------------------------------------------------

_tests = []
_skipped = []  # scenarios of client programs that cannot run here


def test(limit=60):
    """Marks a function as a test that may take `limit` seconds.  Its parameter, if any, is what main()'s `around` yields.  It
    counts as one, or as the number of scenarios that it returns."""
    def mark(function):
        _tests.append((function, limit))
        return function
    return mark


@contextlib.contextmanager
def _limit(seconds):
    def late(*_):
        raise Late(f"the test takes more than {seconds} s")
    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class _Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def attempt(self, name, body, limit):
        """Runs body and counts it; its value, or None when it did not succeed."""
        started = time.monotonic()
        try:
            with _limit(limit):
                value = body()
            if name:
                count = value if type(value) is int else 1
                self.passed += count
                note = f", {count} scenarios" if count > 1 else ""
                print(f"ok {name} ({time.monotonic() - started:.1f} s{note})", flush=True)
            return value
        except Skip as reason:
            self.skipped += 1
            print(f"skip {name or 'all of this lane'}: {reason}", flush=True)
        except Exception as failure:  # pylint: disable=broad-except
            self.failed += 1
            trace = "".join(traceback.format_tb(failure.__traceback__)[-3:])
            print(f"FAIL {name or 'start'}: {type(failure).__name__}: {failure}\n{trace}", flush=True)
        return None

    def run(self, around, wanted, ending):
        stack = contextlib.ExitStack()
        value = None
        if around:
            failed = self.failed + self.skipped
            value = self.attempt("", lambda: stack.enter_context(around()), INSTALL_SECONDS)
            if self.failed + self.skipped > failed:
                return
        for function, limit in _tests:
            if not wanted or any(w in function.__name__ for w in wanted):
                self.attempt(function.__name__.removeprefix("test_"),
                             lambda f=function: f(value) if f.__code__.co_argcount else f(), limit)
        if around:
            self.attempt(ending, stack.close, 60)


def main(around=None, ending="servers end in order"):
    """Runs the tests of the file, or those whose names contain one of the arguments.  `around` makes a context manager that
    spans all of them; leaving it counts as one more test of the name `ending`, unless that is empty."""
    tally = _Tally()
    tally.run(around, sys.argv[1:], ending)
    tally.skipped += len(_skipped)
    note = f", {tally.skipped} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {tally.failed} failed{note}")
    sys.exit(1 if tally.failed or not tally.passed + tally.skipped else 0)
