#!/usr/bin/env python3
"""gRPC-Web and Connect clients of other projects in headless Chromium, on pages of another site than the gateway's, and the
code that README.md shows for them.  What the clients do is in clients/; driver.mjs has the browser; here are the servers, and
what they saw."""
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

# client: {mode: what the library can do in it}.  Messages come one by one but for grpc_web's binary mode.
CLIENTS = {
    "grpc_web": {"text": CALLS + INCREMENTAL + ASKED, "binary": CALLS + ASKED},
    "connect_web": {mode: CALLS + INCREMENTAL + ASKED for mode in ("grpc_web", "connect_proto", "connect_json")},
    "improbable": {"http": CALLS + INCREMENTAL + ASKED, "websocket": CALLS + INCREMENTAL + ASKED + DUPLEX},
    "nice_grpc": {"http": CALLS + INCREMENTAL + ASKED, "websocket": CALLS + INCREMENTAL + ASKED + DUPLEX},
    "protobuf_ts": {"text": CALLS + INCREMENTAL + ASKED, "binary": CALLS + INCREMENTAL + ASKED},
}
VARIANTS = [(client, mode) for client, modes in CLIENTS.items() for mode in modes]
SECONDS_SILENT = 20
KEPT = {"drawbridge_connections_open"}

# What the clients import: folder and flags of protoc.
GENERATED = {"es": ["--es_out=.", "--es_opt=target=js"],
             "nice": ["--ts_proto_out=.", "--ts_proto_opt=outputServices=nice-grpc,outputServices=generic-definitions",
                      "--ts_proto_opt=forceLong=bigint"],
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
        try:
            self._process.stdin.close()
            self._process.wait(15)
        except BrokenPipeError:
            pass  # it ended before: the command that saw that has failed
        finally:
            self._process.kill()
            self._process.wait()


class Tab:
    """A page with one client in it."""

    def __init__(self, browser, client, host="page.test"):
        self._browser = browser
        self._page = browser.command("open", client=client, host=host)

    def run(self, mode, scenario, gateway, **arguments):
        url = f"http://api.test:{gateway.port('http')}"
        return self._browser.command("run", page=self._page, mode=mode, url=url, scenario=scenario, args=arguments)

    def close(self):
        self._browser.command("close", page=self._page)


@contextlib.contextmanager
def tabs(browser):
    """One for each client: {client: tab}"""
    opened = {client: Tab(browser, client) for client in CLIENTS}
    try:
        yield opened
    finally:
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


def assert_quiet(gateway):
    """Nothing is live but connections that the browser keeps for its next request."""
    wait_for(lambda: f"still live in the gateway: {gateway.live()}", lambda: set(gateway.live()) <= KEPT, 3)
    gateway.check_log()


def play(s, tab, mode, scenario):
    """One scenario; the backend must stop within a second where the page did, and nothing may be left in the gateway."""
    gateway = s.asked if scenario in ASKED else s.gateway
    method = STOPS.get(scenario)
    before = ended_early(s.calculator, method)
    tab.run(mode, scenario, gateway)
    if method:
        wait_for(f"the backend ends {method}", lambda: ended_early(s.calculator, method) > before, 1)
    assert_quiet(gateway)


def each_client(client):
    @test(120)
    def run(s):
        failures, count = [], 0
        tab = Tab(s.browser, client)
        for mode, scenarios in CLIENTS[client].items():
            for scenario in scenarios:
                count += 1
                try:
                    play(s, tab, mode, scenario)
                except (AssertionError, Late) as failure:
                    failures.append(f"{mode} {scenario}: {failure}")
        tab.close()
        assert not failures, "\n".join(failures)
        for gateway in (s.gateway, s.asked):
            gateway.assert_nothing_live()
        return count
    run.__name__ = "test_" + client


for each in CLIENTS:
    each_client(each)


# --- all of them at once --------------------------------------------------------------------------------------------------

def hold(opened, gateway, unary=True, **arguments):
    """Leaves a stream, and a unary call if wanted, of these clients open in every mode.  Streams are past their first message
    where the client shows that.  The names of the calls as (client, mode, slot)."""
    before = gateway.metric("drawbridge_upstream_calls_open")
    calls = []
    for client, tab in opened.items():
        for mode, scenarios in CLIENTS[client].items():
            tab.run(mode, "hold_stream", gateway, slot=mode, wait=INCREMENTAL[0] in scenarios, **arguments)
            calls.append((client, mode, mode))
            if unary:
                tab.run(mode, "hold_unary", gateway, slot=mode + " unary")
                calls.append((client, mode, mode + " unary"))
    wait_for("all calls run", lambda: gateway.metric("drawbridge_upstream_calls_open") == before + len(calls))
    return calls


@test(60)
def test_closed_tabs(s):
    """A tab that is closed ends its calls at the backend within a second."""
    def ended():
        return [ended_early(s.calculator, method) for method in ("SlowSquareRoot", "Flood")]
    count = 0
    for client, modes in CLIENTS.items():
        tab, before = Tab(s.browser, client), ended()
        count += len(hold({client: tab}, s.gateway))
        tab.close()
        wait_for(f"the backend ends the calls of {client}", lambda: ended() == [n + len(modes) for n in before], 1)
    s.gateway.assert_nothing_live()
    return count


@test(60)
def test_killed_upstream(s):
    """Calls in progress are UNAVAILABLE and never a success; calls work within five seconds of the upstream's return."""
    address = f"127.0.0.1:{free_port()}"
    with Calculator(listen=address) as calculator, Gateway(address, *s.policy) as gateway, tabs(s.browser) as opened:
        calls = hold(opened, gateway)
        calculator.crash()
        for client, mode, slot in calls:
            outcome = opened[client].run(mode, "outcome", gateway, slot=slot)
            equal((outcome["ok"], outcome.get("code")), (False, 14), f"outcome of {client} {slot}: {outcome}")
        assert_quiet(gateway)
        with Calculator(listen=address):
            returned = time.monotonic()
            for client, mode in VARIANTS:
                opened[client].run(mode, "recover", gateway, seconds=5 - (time.monotonic() - returned))
            assert_quiet(gateway)
    return len(calls) + len(VARIANTS)


@test(60)
def test_silent_streams(s):
    """A stream without a message for twenty seconds stays open."""
    with tabs(s.browser) as opened:
        calls = hold(opened, s.asked, unary=False, metadata={"x-count": "2", "x-pause": str(SECONDS_SILENT)})
        started = time.monotonic()
        for client, mode, slot in calls:
            outcome = opened[client].run(mode, "outcome", s.asked, slot=slot)
            equal(outcome, {"ok": True, "messages": 2}, f"outcome of {client} {mode}")
        assert time.monotonic() - started > SECONDS_SILENT / 2
    s.asked.assert_nothing_live()
    return len(calls)


@test(60)
def test_refused_pages(s):
    """A page that --cors-origin does not name gets nowhere: no call goes upstream."""
    calls = s.gateway.metric("drawbridge_upstream_calls_total")
    for client, modes in CLIENTS.items():
        tab = Tab(s.browser, client, "other.test")
        for mode in modes:
            tab.run(mode, "refused", s.gateway)
        tab.close()
    equal(s.gateway.metric("drawbridge_upstream_calls_total"), calls, "calls that went upstream")
    s.gateway.assert_nothing_live()
    return len(VARIANTS)


@test(30)
def test_pages_of_any_origin(s):
    """--cors-origin '*' admits every page, without credentials."""
    with Gateway(s.calculator.address, "--cors-origin", "*") as gateway:
        tab = Tab(s.browser, "connect_web", "other.test")
        tab.run("grpc_web", "unary", gateway)
        tab.close()
        tab = Tab(s.browser, "nice_grpc", "other.test")
        tab.run("http", "refused", gateway)
        tab.close()


EVENTS = """
const source = new EventSource('URL');
const show = event => console.log(event.type, event.lastEventId, event.data);
source.onmessage = show;
await new Promise(resolve => source.addEventListener('error', event => {
  if (event.data) show(event);
  if (source.readyState === EventSource.CLOSED) resolve();
}));
console.log('closed');
"""


def events(s, gateway, path):
    """What the page of another site hears from an EventSource until it is closed for good."""
    source = EVENTS.replace("URL", f"http://api.test:{gateway.port('http')}{path}")
    return s.browser.command("snippet", source=source, folder=str(HERE))


@test(60)
def test_event_source(s):
    """Events with ids; at the end the browser connects once more, says so by its last id and is told to stop."""
    before = len(s.calculator.calls("PrimeFactors"))
    equal(events(s, s.gateway, "/v1/factors/12"),
          ['message 1 {"factor":"2"}', 'message 2 {"factor":"2","index":1}', 'message 3 {"factor":"3","index":2}', "closed"],
          "events")
    equal(len(s.calculator.calls("PrimeFactors")) - before, 1, "calls that the backend saw")
    assert_quiet(s.gateway)
    with Gateway(s.calculator.address, "--default-timeout", "2s", *s.policy) as hurried:
        heard = events(s, hurried, "/v1/factors/30?delay=1.2s")
        equal((heard[0], heard[-2][:10], heard[-1]), ('message 1 {"factor":"2"}', "error end ", "closed"), f"events {heard}")
        equal(json.loads(heard[-2][10:])["error"]["code"], 4, "code of the last event")
        assert_quiet(hurried)


@test(30)
def test_connect_by_get(s):
    """What has no side effects is called by GET, CombineVectors by POST."""
    tab, before = Tab(s.browser, "connect_web"), len(s.gateway.events("call", protocol="connect"))
    play(s, tab, "connect_get", "unary")
    calls = s.gateway.events("call", protocol="connect")[before:]
    equal([(call["method"], call["path"].removeprefix("/Calculator/")) for call in calls],
          [("GET", "AddNum"), ("GET", "SquareRoot"), ("GET", "AddNum"), ("POST", "CombineVectors")], "calls")
    for scenario in ("error_with_details", "many_at_once"):
        play(s, tab, "connect_get", scenario)
    tab.close()
    return 3


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


@test(90)
def test_readme(s):
    failures = []
    found = snippets()
    for number, source in enumerate(found):
        try:
            play_snippet(s, source, DEPS / f"readme-{number}")
        except AssertionError as failure:
            failures.append(f"{source.splitlines()[0]}: {failure}")
    assert len(found) >= 7 and not failures, "\n".join(failures)
    return len(found)


if __name__ == "__main__":
    main(stage)
