#!/usr/bin/env python3
"""One gateway before several servers, and targets of every kind: which server a call reaches in each protocol, what happens while
one is away, names and files that clash; lists of addresses, unix sockets, names that change."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import tempfile
import time

from dns import NameServer
from harness import (BIN_DIR, CLIENTS, ROOT, SCHEMA, Calculator, Gateway, Server, curl, equal, free_port, main, program, python_clients, run, test,
                     use_binaries, wait_for)
from h2_client import fields
from peers import DATA, H2Peer, connect, finish_call, h2_frame, load, reply_head, reply_trailers, start_call
from wire import field, frame, number
from ws import WebSocket

LOAD = """
import sys
from google.protobuf import descriptor_pb2, descriptor_pool
pool = descriptor_pool.DescriptorPool()
for file in descriptor_pb2.FileDescriptorSet.FromString(open(sys.argv[1], "rb").read()).file:
    pool.Add(file)
for service in ("greeter.Greeter", "counter.Counter"):
    print(pool.FindServiceByName(service).file.name)
"""
ROOT_OF_16 = ("/Calculator/SquareRoot", frame(number(16)))
GREETING, GREETED = ("/greeter.Greeter/Say", frame(field(1, b"x"))), field(1, b"hello x, says greeter")


def other(kind, address="127.0.0.1:0"):
    """A Python server; see clients/python/two_faced.py."""
    server = Server([python_clients(), CLIENTS / "python/two_faced.py", address, kind], ["grpc"])
    server.address = server.addresses["grpc"]
    return server


def say_json(gateway, service, request):
    return curl(f"{gateway.url}/{service}/Say", json.dumps(request)).json()


def web(gateway, path, message):
    """(code, message or None) by gRPC-Web."""
    s = start_call(gateway, path, message)
    messages, trailers = finish_call(s)
    s.close()
    return int(trailers["grpc-status"]), messages[0] if messages else trailers.get("grpc-message", "")


def by_websocket(gateway, path, message):
    with WebSocket(gateway.port("http"), path) as ws:
        ws.start()
        ws.request(message)
        ws.half_close()
        _, messages, status = ws.answer()
    return int(status["grpc-status"]), messages[0] if messages else ""


def by_connect(gateway, path, message):
    reply = curl(gateway.url + path, message, "content-type: application/proto", "connect-protocol-version: 1")
    return (0 if reply.status == 200 else reply.status), reply.body


def warnings(gateway, *words):
    return [e["message"] for e in gateway.events("schema", level="warn") if all(w in e["message"] for w in words)]


# --- which server ---

@test(60)
def test_every_protocol_reaches_the_server_that_has_the_service():
    with Calculator() as calculator, other("greeter") as greeter, other("counter") as counter, \
            Gateway([calculator.address, greeter.address, counter.address]) as gateway:
        name, reply = field(1, b"bob"), field(1, b"hello bob, says greeter")
        for call in (web, by_websocket, by_connect):
            framed = (lambda m: frame(m)) if call is web else (lambda m: m)
            equal(call(gateway, "/greeter.Greeter/Say", framed(name)), (0, reply), f"{call.__name__} of the greeter")
            equal(call(gateway, "/counter.Counter/Say", framed(b"\x08\x29")), (0, b"\x08\x2a"), f"{call.__name__} of the counter")
            equal(call(gateway, "/Calculator/SquareRoot", framed(number(16))), (0, number(4)), call.__name__)
        equal(say_json(gateway, "greeter.Greeter", {"name": "ann"}), {"text": "hello ann, says greeter"})
        equal(say_json(gateway, "counter.Counter", {"number": 41}), {"next": "42"})
        equal(curl(gateway.url + "/v1/greet/eve").json(), {"text": "hello eve, says greeter"})
        equal(curl(gateway.url + "/v1/sqrt/16").json(), {"value": 4})
        # What nobody has goes to the first, which says so.
        equal(web(gateway, "/no.Such/Method", frame(b""))[0], 12)
        for path, server in {"/v1/greet/eve": greeter, "/counter.Counter/Say": counter, "/Calculator/SquareRoot": calculator,
                             "/no.Such/Method": calculator}.items():
            wait_for(f"{path} in the log", lambda p=path, s=server: gateway.events("call", path=p, upstream=s.address))
        about = curl(gateway.url + "/services.json").json()
        equal(about["upstream"], f"{calculator.address}, {greeter.address}, {counter.address}")
        equal({s["name"]: s["upstream"] for s in about["services"]}["counter.Counter"], counter.address)
        equal(warnings(gateway), [], "warnings")
        gateway.assert_nothing_live()


@test(40)
def test_one_description_of_all():
    """Two files of one name: both are there, and the whole can be loaded."""
    with other("greeter") as greeter, other("counter") as counter, \
            Gateway([greeter.address, counter.address]) as gateway, tempfile.NamedTemporaryFile() as file:
        reply = curl(gateway.url + "/descriptors.binpb")
        equal(reply.status, 200)
        file.write(reply.body)
        file.flush()
        listed = run([program("drawbridge"), "list", "--descriptors", file.name]).stdout.decode()
        assert "greeter.Greeter" in listed and "counter.Counter" in listed, listed
        described = run([program("drawbridge"), "describe", "--descriptors", file.name, "counter.Request"]).stdout.decode()
        assert "int64 number = 1" in described, described
        check = run([python_clients(), "-c", LOAD, file.name])
        names = check.stdout.decode().split()
        equal((check.returncode, names[:1], len(set(names))), (0, ["service.proto"], 2), f"files {names} {check.stderr}")
        equal(set(curl(gateway.url + "/openapi.json").json()["paths"]) >=
              {"/v1/greet/{name}", "/greeter.Greeter/Say", "/counter.Counter/Say"}, True, "paths")


@test(40)
def test_types_that_clash():
    """Package-less tutorials: the same Request with other fields.  Each method keeps its own."""
    with other("plain") as plain, other("other") as second, Gateway([plain.address, second.address]) as gateway:
        equal(say_json(gateway, "Plain", {"name": "ann"}), {"text": "hello ann, says plain"})
        equal(say_json(gateway, "Other", {"number": 1}), {"next": "2"})
        refused = curl(gateway.url + "/Other/Say", '{"name":"x"}')
        assert "name" in refused.json()["message"] and refused.status == 400, refused
        notes = warnings(gateway, "Reply (service.proto)", plain.address, second.address, "with 1 more")
        equal(len(notes), 1, f"notes in {warnings(gateway)}")
        equal(len(warnings(gateway, "1 files", "descriptors.binpb")), 1, f"notes in {warnings(gateway)}")
        gateway.process.send_signal(1)
        wait_for("the schema is refreshed", lambda: len(gateway.events("schema", level="info")) >= 2)
        equal(len(warnings(gateway)), 2, f"notes after a refresh in {warnings(gateway)}")
        equal(curl(gateway.url + "/descriptors.binpb").status, 200)


@test(40)
def test_the_same_service_twice():
    with Calculator() as first, Calculator() as second, other("impostor") as third, \
            Gateway([first.address, second.address, third.address]) as gateway:
        for _ in range(10):
            equal(web(gateway, *ROOT_OF_16)[0], 0)
        wait_for("ten calls are logged", lambda: len(first.calls("SquareRoot")) == 10)
        equal(second.calls("SquareRoot"), [], "calls of the second")
        notes = warnings(gateway, "service Calculator is on", f"calls go to {first.address}")
        equal(len(notes), 2, f"notes in {warnings(gateway)}")
        equal(len(warnings(gateway, "grpc.")), 0, "warnings about reflection and health")


@test(40)
def test_the_readmes_command():
    """With ports, name server and folder of this test in its targets."""
    section = (ROOT / "README.md").read_text().partition("\n## Several servers\n")[2]
    words = section.partition("```sh\n")[2].partition("\n```")[0].split()
    equal(words[:2], ["drawbridge", "serve"])
    with tempfile.TemporaryDirectory() as folder, NameServer(greeter_example=["127.0.0.1"]) as names, \
            Calculator() as calculator, other("greeter") as greeter, other("counter", f"unix:{folder}/history.sock"):
        ours = {"localhost:50051": calculator.address.replace("127.0.0.1", "localhost"),
                "dns:///greeter.example:50052": names.target("greeter.example", greeter.port("grpc")),
                "unix:/run/history.sock": f"unix:{folder}/history.sock"}
        equal(set(words[2:]), {"--upstream", *ours}, "words of the command")
        with Gateway([ours[w] for w in words[3::2]]) as gateway:
            equal(curl(gateway.url + "/v1/sqrt/16").json(), {"value": 4})
            equal(curl(gateway.url + "/v1/greet/a").status, 200)
            equal(say_json(gateway, "counter.Counter", {"number": 1}), {"next": "2"})


# --- one that is away ---

@test(60)
def test_one_killed_and_back():
    address = f"127.0.0.1:{free_port()}"
    with Calculator(listen=address) as calculator, other("greeter") as greeter, \
            Gateway([greeter.address, address]) as gateway:
        say = ("/greeter.Greeter/Say", frame(field(1, b"x")))
        equal(web(gateway, *ROOT_OF_16)[0], 0)
        calculator.crash()
        status, message = wait_for("calls fail", lambda: (lambda r: r if r[0] else None)(web(gateway, *ROOT_OF_16)), 1)
        equal(status, 14)
        assert address in message, message
        for _ in range(20):
            equal(web(gateway, *say)[0], 0, "the other")
        code, why = gateway.admin("/readyz")
        equal(code, 503)
        assert address in why and greeter.address not in why, why
        equal(curl(gateway.url + "/v1/sqrt/16").status, 503, "status of the known method of a dead upstream")
        with Calculator(listen=address):
            wait_for("recovers", lambda: web(gateway, *ROOT_OF_16)[0] == 0, 5, 0.05)
            gateway.wait_ready(5)
            gateway.assert_nothing_live()


@test(60)
def test_one_away_at_start():
    address = f"127.0.0.1:{free_port()}"
    with other("greeter") as greeter, Gateway([address, greeter.address], ready=False) as gateway:
        wait_for("the other is served", lambda: curl(gateway.url + "/v1/greet/a").status == 200, 5, 0.05)
        code, why = gateway.admin("/readyz")
        equal(code, 503)
        assert address in why and greeter.address not in why, why
        reply = curl(gateway.url + "/v1/sqrt/16")
        assert reply.status == 404 and "an upstream has not told its services" in reply.json()["message"], reply
        with Calculator(listen=address):
            gateway.wait_ready(5)
            equal(curl(gateway.url + "/v1/sqrt/16").json(), {"value": 4})
            equal(curl(gateway.url + "/v1/greet/a").status, 200)
            gateway.assert_nothing_live()
        # A refresh that fails for one keeps what is known of it.
        gateway.process.send_signal(1)
        wait_for("the refresh fails", lambda: warnings(gateway, address, "not refreshed, the old one stays"))
        equal(curl(gateway.url + "/v1/sqrt/16").status, 503)
        equal(curl(gateway.url + "/v1/greet/a").status, 200)


@test(60)
def test_refreshes_under_load():
    """100 of them, with one server that comes and goes and one that takes connections and says nothing."""
    flapping = f"127.0.0.1:{free_port()}"
    with socket.create_server(("127.0.0.1", 0)) as silent, Calculator() as calculator, other("greeter") as greeter, \
            Gateway([greeter.address, calculator.address, flapping, "127.0.0.1:%d" % silent.getsockname()[1]],
                    ready=False) as gateway:
        for call in (ROOT_OF_16, GREETING):
            wait_for("it is served", lambda c=call: web(gateway, *c)[0] == 0, 10, 0.05)
        descriptors = f"/proc/{gateway.process.pid}/fd"
        before = len(os.listdir(descriptors))
        with load(gateway, 2, *ROOT_OF_16, number(4)) as roots, load(gateway, 2, *GREETING, GREETED) as greetings:
            for _ in range(5):
                with Calculator(listen=flapping) as back:
                    for _ in range(20):
                        gateway.process.send_signal(signal.SIGHUP)
                        time.sleep(0.02)
                    back.crash()
        equal((roots.failures(), greetings.failures()), ({}, {}), "failures")
        assert len(os.listdir(descriptors)) <= before + 8, f"descriptors: {before}, then {os.listdir(descriptors)}"
        gateway.check_log()
        gateway.crash()  # reflection still waits for the silent one


@test(60)
def test_a_service_that_moves():
    """From one server to the other and back.  A refresh while both are away is done when they are there; then no call goes
    astray."""
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    with Gateway(addresses, ready=False) as gateway:
        for kinds in (("greeter", "counter"), ("counter", "greeter"), ("greeter", "counter")):
            with other(kinds[0], addresses[0]), other(kinds[1], addresses[1]):
                wait_for("it is found", lambda: web(gateway, *GREETING) == (0, GREETED), 10, 0.05)
                gateway.wait_ready(10)
                with load(gateway, 4, *GREETING, GREETED) as calls:
                    for _ in range(10):
                        gateway.process.send_signal(signal.SIGHUP)
                        time.sleep(0.02)
                equal(calls.failures(), {}, "failures")
                gateway.assert_nothing_live()
            known = len(warnings(gateway, "not refreshed"))
            wait_for("both are away", lambda: all(a in gateway.admin("/readyz")[1] for a in addresses))
            gateway.process.send_signal(signal.SIGHUP)
            wait_for("it hears of it", lambda n=known: len(warnings(gateway, "not refreshed")) >= n + 2)


@test(60)
def test_clients_leave_descriptors_for_the_upstreams():
    """32 targets, which are one server, and as many clients as come in while it is away."""
    with tempfile.TemporaryDirectory() as folder, Calculator(listen="0.0.0.0:0") as calculator:
        limited = pathlib.Path(folder) / "drawbridge"
        limited.write_text(f'#!/bin/sh\nulimit -n 400\nexec "{program("drawbridge")}" "$@"\n')
        limited.chmod(0o755)
        port = calculator.port("grpc")
        use_binaries(folder)
        try:
            gateway = Gateway([f"127.0.0.{i}:{port}" for i in range(1, 33)], workers=4)
        finally:
            use_binaries(BIN_DIR)
        with gateway:
            calculator.crash()
            wait_for("it is away", lambda: gateway.admin("/readyz")[0] == 503)
            clients = [socket.create_connection(("127.0.0.1", gateway.port("http")), 5) for _ in range(400)]
            wait_for("there is no room for more", lambda: gateway.events("accept_paused"))
            with Calculator(listen=f"0.0.0.0:{port}"):
                gateway.wait_ready(10)
                for client in clients:
                    client.close()
                gateway.assert_nothing_live()


@test(40)
def test_one_without_reflection():
    with Calculator() as calculator, other("lonely") as lonely, Gateway([calculator.address, lonely.address]) as gateway:
        equal(curl(gateway.url + "/v1/sqrt/16").json(), {"value": 4})
        equal(len(warnings(gateway, lonely.address, "reflection is not enabled")), 1, f"notes in {warnings(gateway)}")
    # As the first it is where unknown methods go.
    with Calculator() as calculator, other("lonely") as lonely, Gateway([lonely.address, calculator.address]) as gateway:
        equal(web(gateway, "/greeter.Greeter/Say", frame(field(1, b"x"))), (0, field(1, b"hello x, says lonely")))
        equal(web(gateway, *ROOT_OF_16), (0, number(4)))


@test(40)
def test_rules_that_fit_one_only():
    """Rules from outside may name a method of a server that is away; two servers may bind one path."""
    address = f"127.0.0.1:{free_port()}"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as rules, other("greeter") as greeter:
        rules.write("http:\n  rules:\n  - selector: Calculator.SquareRoot\n    get: /root/{value}\n")
        rules.flush()
        with Gateway([greeter.address, address], "--http-rules", rules.name, ready=False) as gateway:
            wait_for("the other is served", lambda: curl(gateway.url + "/v1/greet/a").status == 200, 5, 0.05)
            with Calculator(listen=address):
                gateway.wait_ready(5)
                equal(curl(gateway.url + "/root/16").json(), {"value": 4})
                gateway.assert_nothing_live()


@test(40)
def test_descriptor_files_and_several():
    """Reflection tells which server has a service of the files; what nobody lists is the first's."""
    with other("lonely") as lonely, Calculator() as calculator, \
            Gateway([lonely.address, calculator.address], "--descriptors", SCHEMA) as gateway:
        equal(curl(gateway.url + "/v1/sqrt/16").json(), {"value": 4})
        equal(warnings(gateway, "no upstream is known"), [], "notes")
        equal(web(gateway, "/greeter.Greeter/Say", frame(field(1, b"x")))[0], 0)
    with other("lonely") as lonely, other("greeter") as greeter, \
            Gateway([lonely.address, greeter.address], "--descriptors", SCHEMA) as gateway:
        equal(curl(gateway.url + "/v1/sqrt/16").status, 501, "status of a method that the first does not have")
        wait_for("the call in the log", lambda: gateway.events("call", path="/v1/sqrt/16", upstream=lonely.address))
        equal(len(warnings(gateway, "no upstream is known to have Calculator")), 1, f"notes in {warnings(gateway)}")


# --- upstreams of the configuration file ---

@contextlib.contextmanager
def listed(upstreams):
    """The flags that name a file of these upstreams."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"upstreams": upstreams}, file)
        file.flush()
        yield "--config", file.name


class Listed(Gateway):
    """With a file of these upstreams."""

    def __init__(self, upstreams, *flags):
        with listed(upstreams) as config:
            super().__init__([], *config, *flags)
        self.upstreams = len(upstreams)


def command(name, upstreams, *flags):
    """(exit status, all it says) of `check` or `serve` with a file of these upstreams."""
    with listed(upstreams) as config:
        done = run([program("drawbridge"), name, *config, "--listen", "127.0.0.1:0", *flags])
    return done.returncode, (done.stdout + done.stderr).decode()


@test(60)
def test_listed_services_need_no_reflection():
    """Also those of a server that has none; what no list has is not served."""
    with other("lonely") as lonely, Calculator() as calculator, tempfile.NamedTemporaryFile(suffix=".binpb") as file:
        with other("greeter") as greeter, other("counter") as counter, \
                Gateway([greeter.address, counter.address, calculator.address]) as gateway:
            file.write(curl(gateway.url + "/descriptors.binpb").body)
            file.flush()
        asked = len(calculator.calls("ServerReflectionInfo"))
        upstreams = [{"target": calculator.address, "services": "Calculator"},
                     {"target": lonely.address, "services": ["greeter.Greeter"]}]
        with Listed(upstreams, "--descriptors", file.name) as gateway:
            equal(web(gateway, "/greeter.Greeter/Say", frame(field(1, b"x"))), (0, field(1, b"hello x, says lonely")))
            equal(by_connect(gateway, "/greeter.Greeter/Say", field(1, b"x")), (0, field(1, b"hello x, says lonely")))
            equal(by_websocket(gateway, "/Calculator/SquareRoot", number(16)), (0, number(4)))
            equal(curl(gateway.url + "/v1/greet/a").json(), {"text": "hello a, says lonely"})
            equal(curl(gateway.url + "/v1/sqrt/16").json(), {"value": 4})
            equal(curl(gateway.url + "/counter.Counter/Say", '{"number":1}').status, 404, "status of a service in no list")
            equal({s["name"]: s["upstream"] for s in curl(gateway.url + "/services.json").json()["services"]},
                  {"Calculator": calculator.address, "greeter.Greeter": lonely.address}, "services")
            equal(warnings(gateway), [], "warnings")
            gateway.assert_nothing_live()
        equal(len(calculator.calls("ServerReflectionInfo")), asked, "reflection calls")
        status, said = command("check", upstreams, "--descriptors", file.name)
        equal(status, 0, said)
        for words in (f"upstream {lonely.address}, as {lonely.address}, for greeter.Greeter\n", "ok: 2 services, ",
                      "in no list and not served"):
            assert words in said, f"{words!r} is not in {said!r}"


@test(60)
def test_a_list_chooses_between_servers_that_have_the_same():
    """By reflection alone: the second serves what both have, the first only what its list has."""
    with Calculator() as first, Calculator() as second, other("greeter") as greeter:
        upstreams = [{"target": first.address, "services": ["grpc.health.v1.Health"]},
                     {"target": second.address}, {"target": greeter.address, "services": ["greeter.Greeter", "greeter.Greter"]}]
        with Listed(upstreams) as gateway:
            equal(curl(gateway.url + "/v1/sqrt/16").json(), {"value": 4})
            equal(curl(gateway.url + "/grpc.health.v1.Health/Check", "{}").json(), {"status": "SERVING"})
            equal(curl(gateway.url + "/v1/greet/a").status, 200)
            wait_for("the calls in the log", lambda: gateway.events("call", path="/v1/sqrt/16", upstream=second.address) and
                     gateway.events("call", path="/grpc.health.v1.Health/Check", upstream=first.address))
            equal(first.calls("SquareRoot"), [], "calls of the first")
            equal(len(warnings(gateway, f"{greeter.address} has no service greeter.Greter")), 1, f"in {warnings(gateway)}")


@test(60)
def test_rules_of_a_service_that_reflection_is_to_tell_of():
    """With files: the first has a list, the second is asked; rules for what it has are no mistake meanwhile."""
    address = f"127.0.0.1:{free_port()}"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as rules, other("lonely") as lonely:
        rules.write("http:\n  rules:\n  - selector: Calculator.SquareRoot\n    get: /root/{value}\n")
        rules.flush()
        upstreams = [{"target": lonely.address, "services": "grpc.health.v1.Health"}, {"target": address}]
        flags = ["--descriptors", SCHEMA, "--http-rules", rules.name]
        status, said = command("check", upstreams, *flags)
        equal(status, 0, said)
        assert f"which upstream has which service is learnt from {address} when it is there" in said, said
        with Calculator(listen=address) as calculator, Listed(upstreams, *flags) as gateway:
            equal(curl(gateway.url + "/root/16").json(), {"value": 4})
            equal(curl(gateway.url + "/grpc.health.v1.Health/Check", "{}").status, 501, "status, by the first")
            equal(len(calculator.calls("Check")), 0, "calls of the second")
            gateway.assert_nothing_live()


@test(40)
def test_each_sees_its_authority():
    def answer(stream):
        return [reply_head(stream) + h2_frame(DATA, 0, stream, frame(b"")) + reply_trailers(stream, ("grpc-status", "0"))]

    with H2Peer(answer) as first, H2Peer(answer) as second, H2Peer(answer) as third:
        health, calculator, reflection = "grpc.health.v1.Health", "Calculator", "grpc.reflection.v1.ServerReflection"
        upstreams = [{"target": first.address, "services": health, "authority": "health.internal:80"},
                     {"target": second.address, "services": calculator},
                     {"target": third.address, "services": reflection, "authority": "%2Frun%2Fx.sock"}]
        flags = ["--descriptors", SCHEMA, "--workers", "1"]
        methods = {health: "Check", calculator: "SquareRoot", reflection: "ServerReflectionInfo"}

        def all_seen(gateway):
            found = []
            for peer, (service, method) in zip((first, second, third), methods.items()):
                equal(web(gateway, f"/{service}/{method}", frame(b""))[0], 0, f"status of {service}")
                found.append(fields(peer.head)[":authority"])
            return found

        with Listed(upstreams, *flags) as gateway:
            equal(all_seen(gateway), ["health.internal:80", second.address, "%2Frun%2Fx.sock"])
        with Listed(upstreams, *flags, "--upstream-authority", "all.internal") as gateway:
            equal(all_seen(gateway), ["health.internal:80", "all.internal", "%2Frun%2Fx.sock"], "with a common one")


@test(40)
def test_a_listed_service_that_the_files_lack():
    upstreams = [{"target": "127.0.0.1:1", "services": "Calculater"}, {"target": "127.0.0.1:2"}]
    says = 'upstream 127.0.0.1:1: services: the descriptors have no service "Calculater", did you mean "Calculator"?'
    for name in ("check", "serve"):
        status, said = command(name, upstreams, "--descriptors", SCHEMA)
        equal(status, 1, f"exit status of {name}, which said {said}")
        assert says in said, f"{says!r} is not in {said!r}"


# --- targets ---

@test(60)
def test_a_list_of_which_the_first_is_dead():
    dead = free_port()
    with Calculator() as calculator:
        port = calculator.address.rpartition(":")[2]
        target = f"ipv4:127.0.0.1:{dead},127.0.0.1:{port}"
        with Gateway(target) as gateway:
            equal(curl(gateway.url + "/v1/sqrt/16").json(), {"value": 4})
            lost = gateway.events("upstream_unreachable")
            assert lost and all(f"127.0.0.1:{dead}" in e["message"] and e["retry_ms"] == 0 for e in lost), lost
            gateway.assert_nothing_live()
            calculator.crash()
            code, why = wait_for("calls fail", lambda: (lambda r: r if r[0] else None)(web(gateway, *ROOT_OF_16)))
            equal(code, 14)
            with Calculator(listen=f"127.0.0.1:{dead}"):  # now the first
                wait_for("recovers", lambda: web(gateway, *ROOT_OF_16)[0] == 0, 5, 0.05)
                gateway.wait_ready(5)
                gateway.assert_nothing_live()


@test(40)
def test_unix_sockets():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "calculator.sock")
        with Calculator(listen="unix:" + path):
            for target in ("unix:" + path, "unix://" + path):
                with Gateway(target) as gateway:
                    equal(curl(gateway.url + "/v1/sqrt/16").json(), {"value": 4})
                listed = run([program("drawbridge"), "call", target, "Calculator/SquareRoot", '{"value":16}'])
                equal(listed.stdout.split(), [b'{"value":4}'], f"call {target}: {listed.stderr}")
    abstract = f"drawbridge-test-{os.getpid()}"
    with other("greeter", "unix-abstract:" + abstract), Gateway("unix-abstract:" + abstract) as gateway:
        equal(curl(gateway.url + "/v1/greet/a").json(), {"text": "hello a, says greeter"})


@test(60)
def test_a_name_that_moves():
    """The same port on 127.0.0.1 and 127.0.0.2; the name server says which."""
    port = free_port()
    with NameServer(calc_example=["127.0.0.1"]) as names:
        first = Calculator(listen=f"127.0.0.1:{port}")
        with first, Gateway(names.target("calc.example", port)) as gateway:
            equal(web(gateway, *ROOT_OF_16)[0], 0)
            authority = gateway.events("upstream_resolved")[0]
            equal((authority["address"], authority["addresses"]), (f"127.0.0.1:{port}", 1))
            asked = names.asked
            names.names["calc.example"] = ["127.0.0.2"]
            first.crash()
            with Calculator(listen=f"127.0.0.2:{port}") as second:
                wait_for("the host is found again", lambda: web(gateway, *ROOT_OF_16)[0] == 0, 5, 0.05)
                assert names.asked > asked
                gateway.wait_ready(5)
                equal(len(second.calls("SquareRoot")) > 0, True, "the second serves")
                gateway.assert_nothing_live()


@test(60)
def test_a_name_that_is_unknown_at_first():
    with NameServer() as names, Calculator() as calculator:
        port = calculator.address.rpartition(":")[2]
        with Gateway(names.target("late.example", port), ready=False) as gateway:
            code, message = wait_for("calls fail", lambda: (lambda r: r if r[0] else None)(web(gateway, *ROOT_OF_16)))
            equal(code, 14)
            wait_for("the reason", lambda: "no address is known for late.example" in gateway.admin("/readyz")[1])
            code, message = web(gateway, *ROOT_OF_16)
            assert "no address is known for late.example" in message, message
            equal(gateway.admin("/readyz")[0], 503)
            names.names["late.example"] = ["127.0.0.9", "127.0.0.1"]  # nobody is at the first
            gateway.wait_ready(6)
            equal(web(gateway, *ROOT_OF_16), (0, number(4)))
            gateway.assert_nothing_live()


@test(60)
def test_a_name_server_that_is_slow_silent_or_broken():
    with NameServer(calc_example=["127.0.0.1"]) as names, Calculator() as calculator:
        target = names.target("calc.example", calculator.address.rpartition(":")[2])
        names.delay = 0.3
        with Gateway(target) as gateway:
            equal(web(gateway, *ROOT_OF_16), (0, number(4)))
        names.delay, names.silent = 0, True
        with Gateway(target, "--upstream-connect-timeout", "500ms", ready=False) as gateway:
            s = connect(gateway)  # nothing else waits meanwhile
            equal(gateway.admin("/healthz")[0], 200)
            s.close()
            code, message = web(gateway, *ROOT_OF_16)
            equal(code, 14)
            assert "within 500 ms" in message, message
            names.silent, names.broken = False, True
            wait_for("another reason", lambda: "calc.example" in gateway.admin("/readyz")[1] and
                     "within" not in gateway.admin("/readyz")[1])
            names.broken = False
            gateway.wait_ready(6)
            gateway.assert_nothing_live()


@test(30)
def test_the_commands_take_the_same_targets():
    with NameServer(calc_example=["127.0.0.1"]) as names, Calculator() as calculator:
        port = calculator.address.rpartition(":")[2]
        good = [names.target("calc.example", port), f"dns:localhost:{port}", f"localhost:{port}",
                f"ipv4:127.0.0.1:{free_port()},127.0.0.1:{port}"]
        for target in good:
            done = run([program("drawbridge"), "call", target, "Calculator/SquareRoot", '{"value":16}'])
            equal((done.returncode, done.stdout.split()), (0, [b'{"value":4}']), f"{target}: {done.stderr}")
            assert b"Calculator" in run([program("drawbridge"), "list", target]).stdout, target
        done = run([program("drawbridge"), "call", names.target("no.example", port), "Calculator/SquareRoot", "{}"])
        assert b"no address is known for no.example" in done.stderr and done.returncode == 14, done


main()
