#!/usr/bin/env python3
"""gRPC-Web clients of other projects in headless Chromium, on pages of another site than the gateway's, and the code that
README.md shows for them.  What the clients do is in clients/; driver.mjs has the browser; here are the servers, and what
they saw."""
import contextlib
import json
import os
import pathlib
import re
import selectors
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from harness import (DEPS, ROOT, SCHEMA, Calculator, Gateway, Late, Server, Skip, equal, free_port,  # noqa: E402
                     main, python_clients, test, wait_for, _install, _installed)

CALLS = ("unary", "error_with_details", "server_stream", "error_of_a_stream", "large_stream", "large_messages", "many_at_once",
         "deadline", "deadline_of_a_stream", "abort_while_waiting", "abort_in_a_stream")
INCREMENTAL = ("arrives_as_it_is_sent",)
DUPLEX = ("client_stream", "long_client_stream", "dialogue", "abort_a_dialogue")
ASKED = ("metadata", "every_status", "status_behind_messages")  # against upstream.py
STOPS = {"deadline": "SlowSquareRoot", "deadline_of_a_stream": "PrimeFactors", "abort_while_waiting": "SlowSquareRoot",
         "abort_in_a_stream": "Flood", "abort_a_dialogue": "RunningTotal"}  # scenario: method that the backend must end

# (client, mode): what this library can do.
VARIANTS = {
    ("grpc_web", "text"): CALLS + INCREMENTAL + ASKED,
    ("grpc_web", "binary"): CALLS + ASKED,
    ("connect_web", "fetch"): CALLS + INCREMENTAL + ASKED,
    ("improbable", "http"): CALLS + INCREMENTAL + ASKED,
    ("improbable", "websocket"): CALLS + INCREMENTAL + ASKED + DUPLEX,
    ("nice_grpc", "http"): CALLS + INCREMENTAL + ASKED,
    ("nice_grpc", "websocket"): CALLS + INCREMENTAL + ASKED + DUPLEX,
    ("protobuf_ts", "text"): CALLS + INCREMENTAL + ASKED,
    ("protobuf_ts", "binary"): CALLS + INCREMENTAL + ASKED,
}
SECONDS_SILENT = 20

# What the clients import: folder and flags of protoc.
GENERATED = {"es": ["--es_out=.", "--es_opt=target=js"],
             "nice": ["--ts_proto_out=.", "--ts_proto_opt=outputServices=nice-grpc,outputServices=generic-definitions,forceLong=bigint"],
             "protobuf-ts": ["--ts_out=."]}
PROTOS = ["calculator.proto", "google/api/annotations.proto", "google/api/http.proto"]


# --- the browser ----------------------------------------------------------------------------------------------------------

def environment():
    return {**os.environ, "PATH": f"{HERE / 'node_modules/.bin'}:{os.environ['PATH']}"}


def generated():
    """The folder of generated code; npm packages are installed beside this file."""
    for tool in ("node", "npm", "protoc", os.environ.get("CHROMIUM", "chromium")):
        if not shutil.which(tool):
            raise Skip(f"{tool} is not installed")
    with _install("browser", HERE / "package.json") as needed:
        if needed or not (HERE / "node_modules/grpc-web").is_dir():
            _installed("npm packages", ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts",
                                        "--loglevel=error"], cwd=HERE)
    base = DEPS / "browser"
    with _install("browser-code", ROOT / "proto/calculator.proto", HERE / "package.json", __file__) as needed:
        for folder, flags in GENERATED.items() if needed else ():
            shutil.rmtree(base / folder, ignore_errors=True)
            (base / folder).mkdir(parents=True)
            _installed("generated code", ["protoc", f"-I{ROOT / 'proto'}", *flags, *PROTOS], environment(), base / folder)
    return base


class Browser:
    """The driver, one command at a time."""

    def __init__(self, folder):
        self._process = subprocess.Popen(["node", "driver.mjs", folder], cwd=HERE, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, bufsize=1)
        self._number = 0
        self.origin = self._line(60)["origin"]

    def _line(self, seconds):
        with selectors.DefaultSelector() as ready:  # one answer per command: nothing is left in a buffer
            ready.register(self._process.stdout, selectors.EVENT_READ)
            if not ready.select(seconds):
                raise Late(f"no answer from the browser in {seconds} s")
        line = self._process.stdout.readline()
        assert line, f"the driver of the browser ended with {self._process.wait(5)}"
        return json.loads(line)

    def command(self, command, seconds=45, **arguments):
        self._number += 1
        self._process.stdin.write(json.dumps({"id": self._number, "command": command, **arguments}) + "\n")
        reply = self._line(seconds)
        while reply.get("id") != self._number:  # of a command that came too late
            reply = self._line(seconds)
        if "error" in reply:
            raise AssertionError(reply["error"])
        return reply["value"]

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(15)
        finally:
            self._process.kill()
            self._process.wait()


class Tab:
    """A page with one client in it."""

    def __init__(self, browser, variant, host="page.test"):
        self.name = " ".join(variant)
        self._browser, self._mode = browser, variant[1]
        self._page = browser.command("open", client=variant[0], host=host)

    def run(self, scenario, gateway, **arguments):
        url = f"http://api.test:{gateway.port('http')}"
        return self._browser.command("run", page=self._page, mode=self._mode, url=url, scenario=scenario, args=arguments)

    def close(self):
        self._browser.command("close", page=self._page)


@contextlib.contextmanager
def tabs(browser, variants=tuple(VARIANTS)):
    """{variant: tab}"""
    opened = {variant: Tab(browser, variant) for variant in variants}
    yield opened
    for tab in opened.values():
        tab.close()


class Stage:
    """The browser, the calculator behind a gateway, and upstream.py behind another."""

    def __init__(self, stack):
        self.browser = stack.enter_context(contextlib.closing(Browser(generated())))
        self.policy = ("--cors-origin", self.browser.origin)
        self.calculator = stack.enter_context(Calculator("--workers", "2"))
        self.gateway = stack.enter_context(Gateway(self.calculator.address, *self.policy))
        upstream = stack.enter_context(Server([python_clients(), HERE / "upstream.py", "127.0.0.1:0"], ["grpc"]))
        self.asked = stack.enter_context(Gateway(upstream.addresses["grpc"], "--descriptors", SCHEMA, *self.policy))


@contextlib.contextmanager
def stage():
    with contextlib.ExitStack() as stack:
        yield Stage(stack)


# --- every client ---------------------------------------------------------------------------------------------------------

def ended_early(calculator, method):
    """How many calls of that method the backend saw end before their time."""
    return len([c for c in calculator.calls(method) if c["status"] in ("CANCELLED", "DEADLINE_EXCEEDED")])


def play(s, tab, scenario):
    """One scenario; the backend must stop within a second where the page did, and nothing may be left in the gateway."""
    gateway = s.asked if scenario in ASKED else s.gateway
    method = STOPS.get(scenario)
    before = ended_early(s.calculator, method)
    tab.run(scenario, gateway)
    if method:
        wait_for(f"the backend ends {method}", lambda: ended_early(s.calculator, method) > before, 1)
    gateway.assert_nothing_live()


def each_client(variant):
    @test(80)
    def run(s):
        failures = []
        tab = Tab(s.browser, variant)
        for scenario in VARIANTS[variant]:
            try:
                play(s, tab, scenario)
            except (AssertionError, Late) as failure:
                failures.append(f"{scenario}: {failure}")
        tab.close()
        assert not failures, "\n".join(failures)
        return len(VARIANTS[variant])
    run.__name__ = "test_" + "_".join(variant)


for each in VARIANTS:
    each_client(each)


# --- all of them at once --------------------------------------------------------------------------------------------------

def hold(variant):
    """Arguments of hold_stream: a client that shows messages only at the end cannot wait for the first."""
    return {"wait": "arrives_as_it_is_sent" in VARIANTS[variant]}


@test(60)
def test_closed_tabs(s):
    """A tab that is closed ends its calls at the backend within a second."""
    for scenario, method in (("hold_unary", "SlowSquareRoot"), ("hold_stream", "Flood")):
        opened = {variant: Tab(s.browser, variant) for variant in VARIANTS}
        for variant, tab in opened.items():
            before = ended_early(s.calculator, method)
            running = s.gateway.metric("drawbridge_upstream_calls_total")
            tab.run(scenario, s.gateway, **hold(variant))
            wait_for("the call starts", lambda: s.gateway.metric("drawbridge_upstream_calls_total") > running)
            tab.close()
            wait_for(f"{method} of {tab.name} ends", lambda: ended_early(s.calculator, method) > before, 1)
    s.gateway.assert_nothing_live()
    return 2 * len(VARIANTS)


@test(60)
def test_killed_upstream(s):
    """Calls in progress are UNAVAILABLE and never a success; calls work within five seconds of the upstream's return."""
    address = f"127.0.0.1:{free_port()}"
    with Calculator(listen=address) as calculator, Gateway(address, *s.policy) as gateway, tabs(s.browser) as opened:
        for variant, tab in opened.items():
            tab.run("hold_stream", gateway, **hold(variant))
        wait_for("all calls run", lambda: gateway.metric("drawbridge_upstream_calls_open") == len(opened))
        calculator.crash()
        for tab in opened.values():
            outcome = tab.run("outcome", gateway)
            equal((outcome["ok"], outcome.get("code")), (False, 14), f"outcome of {tab.name}: {outcome}")
        gateway.assert_nothing_live()
        with Calculator(listen=address):
            returned = time.monotonic()
            for tab in opened.values():
                tab.run("recover", gateway, seconds=5 - (time.monotonic() - returned))
            gateway.assert_nothing_live()
    return 2 * len(VARIANTS)


@test(60)
def test_silent_streams(s):
    """A stream without a message for twenty seconds stays open."""
    with tabs(s.browser) as opened:
        started = time.monotonic()
        for variant, tab in opened.items():
            tab.run("hold_stream", s.asked, metadata={"x-count": "2", "x-pause": str(SECONDS_SILENT)}, **hold(variant))
        for tab in opened.values():
            equal(tab.run("outcome", s.asked), {"ok": True, "messages": 2}, f"outcome of {tab.name}")
        assert time.monotonic() - started > SECONDS_SILENT
    s.asked.assert_nothing_live()
    return len(VARIANTS)


@test(60)
def test_refused_pages(s):
    """A page that --cors-origin does not name gets nowhere: no call goes upstream."""
    calls = s.gateway.metric("drawbridge_upstream_calls_total")
    for variant in VARIANTS:
        tab = Tab(s.browser, variant, "other.test")
        tab.run("refused", s.gateway)
        tab.close()
    equal(s.gateway.metric("drawbridge_upstream_calls_total"), calls, "calls that went upstream")
    s.gateway.assert_nothing_live()
    return len(VARIANTS)


# --- README.md ------------------------------------------------------------------------------------------------------------

def snippets():
    """The programs of the section "From your page"."""
    section = re.search(r"^## From your page\n(.*?)^## ", (ROOT / "README.md").read_text(), re.M | re.S)[1]
    return re.findall(r"^```[jt]s\n(.*?)^```", section, re.M | re.S)


def play_snippet(s, source, folder):
    """Runs one in a project of its own: `// protoc` lines as commands, and what it prints must be what its comments say."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "gen").mkdir(parents=True)
    (folder / "proto").symlink_to(ROOT / "proto")
    for command in re.findall(r"^// (protoc .*)", source, re.M):
        _installed("generated code", command.split(), environment(), folder)
    wanted = re.findall(r"console\.log\(.*\);\s*// (.*)", source)
    assert wanted and "http://localhost:8080" in source, source
    source = source.replace("http://localhost:8080", f"http://api.test:{s.gateway.port('http')}")
    equal(", ".join(s.browser.command("snippet", source=source, folder=str(folder))), ", ".join(wanted), "what it prints")
    s.gateway.assert_nothing_live()


@test(60)
def test_readme(s):
    failures = []
    found = snippets()
    for number, source in enumerate(found):
        try:
            play_snippet(s, source, DEPS / f"readme-{number}")
        except AssertionError as failure:
            failures.append(f"{source.splitlines()[0]}: {failure}")
    assert len(found) >= 6 and not failures, "\n".join(failures)
    return len(found)


if __name__ == "__main__":
    main(stage)
