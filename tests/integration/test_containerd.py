#!/usr/bin/env python3
"""containerd (Debian's package, Apache-2.0; unpacked, not installed) behind the gateway, over its unix socket: no HTTP rules, so
every method is POST /package.Service/Method.  Its .proto files are Debian's too.  No container is started."""
import base64
import collections
import contextlib
import hashlib
import json
import os
import pathlib
import select
import socket
import tempfile

from harness import Gateway, Skip, curl, equal, main, program, run, test, wait_for
from services import Daemon, Stream, debian_package, descriptors, validate_openapi

NDJSON = "accept: application/x-ndjson"
SOURCES = "usr/share/gocode/src"
CONFIG = """version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{0}/grpc.sock"
[ttrpc]
  address = "{0}/ttrpc.sock"
"""

Served = collections.namedtuple("Served", "folder daemon gateway")


def schema():
    gogo = debian_package("golang-github-gogo-protobuf-dev") / SOURCES / "github.com/gogo/protobuf"
    sources = debian_package("golang-github-containerd-containerd-dev") / SOURCES
    api = sources / "github.com/containerd/containerd/api"
    files = [f.relative_to(sources) for folder in ("services", "events") for f in sorted((api / folder).rglob("*.proto"))
             if "ttrpc" not in f.parts]
    return descriptors("containerd", {"": sources, "gogoproto": gogo / "gogoproto"}, files, pathlib.Path(__file__))


def start(folder):
    """A containerd that has everything in that folder."""
    config = pathlib.Path(folder) / "config.toml"
    config.write_text(CONFIG.format(folder))
    path = f"{folder}/grpc.sock"

    def answers():
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(path) == 0
    return Daemon([debian_package("containerd") / "usr/bin/containerd", "--config", config], answers)


@contextlib.contextmanager
def containerd():
    if os.getuid() != 0:
        raise Skip("containerd must be started by root")
    # The folder's name is short: the path of a unix socket has at most 107 bytes.
    with tempfile.TemporaryDirectory() as folder, start(folder) as daemon, \
            Gateway(f"unix:{folder}/grpc.sock", "--descriptors", schema()) as gateway:
        yield Served(folder, daemon, gateway)


def call(c, method, request, *headers, status=200, namespace="test"):
    """The answer to containerd.services.METHOD; headers that begin with containerd- reach the service as metadata."""
    text = request if isinstance(request, str) else json.dumps(request)
    reply = curl(f"{c.gateway.url}/containerd.services.{method}", text, f"containerd-namespace: {namespace}", *headers)
    equal(reply.status, status, f"HTTP status of {method} {text[:300]}: {reply}")
    return reply


def fails(c, method, request, status, code, *words, **how):
    error = call(c, method, request, status=status, **how).json()
    equal((error["code"], error["details"]), (code, []), f"error of {method}")
    for word in words:
        assert word in error["message"], f"{error} lacks {word!r}"


def lines(reply):
    return [json.loads(line) for line in reply.body.splitlines()]


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


@test()
def test_version_and_plugins(c):
    version = call(c, "version.v1.Version/Version", {}).json()
    assert version["version"][:2] in ("1.", "2."), version
    wanted = {"filters": ["type==io.containerd.snapshotter.v1"]}
    plugins = call(c, "introspection.v1.Introspection/Plugins", wanted).json()["plugins"]
    assert {"native", "devmapper"} <= {p["id"] for p in plugins}, plugins
    # google.rpc.Status inside of a message, and a list of messages inside of a list of messages.
    bad = next(p for p in plugins if p["id"] == "devmapper")
    equal((bad["initErr"]["code"], bad["initErr"]["message"]), (2, "devmapper not configured"), "failure of a plugin")
    good = next(p for p in plugins if p["id"] == "native")
    equal((good["platforms"][0]["os"], "initErr" in good), ("linux", False), "plugin")
    assert call(c, "introspection.v1.Introspection/Server", {}).json()["uuid"]
    c.gateway.assert_nothing_live()


@test()
def test_native_command_line(c):
    """The same socket without a gateway between."""
    done = run([program("drawbridge"), "healthcheck", f"unix:{c.folder}/grpc.sock"])
    equal(done.returncode, 0, f"exit status; {done.stderr!r}")
    routes = run([program("drawbridge"), "routes", "--descriptors", schema()]).stdout.decode()
    assert "/containerd.services.tasks.v1.Tasks/Create" in routes, routes


@test()
def test_namespaces(c):
    service = "namespaces.v1.Namespaces/"
    made = call(c, service + "Create", {"namespace": {"name": "n1", "labels": {"a": "1", "b.c/d": "2"}}}).json()
    equal(call(c, service + "Get", {"name": "n1"}).json(), made, "namespace")
    # A path of a field mask may name a key of a map.
    call(c, service + "Update", {"namespace": {"name": "n1", "labels": {"a": "3", "z": "9"}}, "updateMask": "labels.a"})
    equal(call(c, service + "Get", {"name": "n1"}).json()["namespace"]["labels"], {"a": "3", "b.c/d": "2"}, "labels")
    assert made["namespace"]["name"] in [n["name"] for n in call(c, service + "List", {}).json()["namespaces"]]
    fails(c, service + "Create", {"namespace": {"name": "n1"}}, 409, 6, "n1", "already exists")
    fails(c, service + "Create", {"namespace": {"name": "!"}}, 400, 3, "!")
    fails(c, service + "Create", {"namespace": {"nam": "n1"}}, 400, 3, 'did you mean "name"', "namespace")
    call(c, service + "Delete", {"name": "n1"})
    fails(c, service + "Delete", {"name": "n1"}, 404, 5, "not found")
    c.gateway.assert_nothing_live()


@test()
def test_metadata_reaches_the_service(c):
    lease = call(c, "leases.v1.Leases/Create", {"id": "l1", "labels": {"x": "y"}}, namespace="here").json()["lease"]
    assert lease["createdAt"].startswith("20"), lease
    equal([l["id"] for l in call(c, "leases.v1.Leases/List", {}, namespace="here").json()["leases"]], ["l1"], "leases")
    equal(call(c, "leases.v1.Leases/List", {}, namespace="there").json(), {}, "leases of another namespace")
    reply = curl(f"{c.gateway.url}/containerd.services.leases.v1.Leases/List", "{}")
    equal((reply.status, reply.json()["code"]), (400, 9), f"without a namespace: {reply}")
    c.gateway.assert_nothing_live()


@test()
def test_content(c):
    """A blob by a stream in both directions, back by a stream of bytes, and its list."""
    data = bytes(range(256)) * 12_288
    pieces = [data[i:i + 400_000] for i in range(0, len(data), 400_000)]
    writes = [{"action": "WRITE", "ref": "r1", "total": str(len(data)), "expected": digest(data), "offset": str(400_000 * i),
               "data": base64.b64encode(piece).decode()} for i, piece in enumerate(pieces)]
    commit = {"action": "COMMIT", "total": len(data), "offset": len(data), "expected": digest(data), "labels": {"k": "v"}}
    replies = lines(call(c, "content.v1.Content/Write", "\n".join(map(json.dumps, [*writes, commit])), NDJSON))
    # containerd repeats its last reply when it leaves the stream.
    equal([r["action"] for r in replies], ["WRITE"] * len(pieces) + ["COMMIT"] * 2, "replies")
    equal((replies[-1]["digest"], replies[-1]["offset"]), (digest(data), str(len(data))), "last reply")
    info = call(c, "content.v1.Content/Info", {"digest": digest(data)}).json()["info"]
    equal((info["size"], info["labels"]), (str(len(data)), {"k": "v"}), "information")
    read = lines(call(c, "content.v1.Content/Read", {"digest": digest(data), "offset": "1"}, NDJSON))
    assert len(read) > 1, "one piece"
    equal(b"".join(base64.b64decode(r["data"]) for r in read) == data[1:], True, "bytes are the same")
    found = call(c, "content.v1.Content/List", {}).json()
    equal([i["digest"] for part in found for i in part["info"]], [digest(data)], "list")
    fails(c, "content.v1.Content/Read", {"digest": digest(b"nothing")}, 404, 5, digest(b"nothing"))
    fails(c, "content.v1.Content/Info", {"digest": "sha256:1"}, 400, 3)
    c.gateway.assert_nothing_live()


@test()
def test_a_stream_that_fails_in_the_middle(c):
    """The first reply is on its way when the commit is refused."""
    write = {"action": "WRITE", "ref": "r2", "data": "AAAA"}
    wrong = {"action": "COMMIT", "expected": digest(b"else")}
    reply = call(c, "content.v1.Content/Write", json.dumps(write) + json.dumps(wrong), NDJSON)
    first, last = lines(reply)
    equal((first["action"], first["offset"]), ("WRITE", "3"), "first line")
    equal(last["error"]["code"], 9, f"last line {last}")
    assert "unexpected commit digest" in last["error"]["message"], last
    fails(c, "content.v1.Content/Status", {"ref": "none"}, 404, 5, "none")
    c.gateway.assert_nothing_live()


@test()
def test_events(c):
    """Events come while the stream is open.  An Any that is typed as protobuf wants it is decoded; the type names of containerd's
    own events have no slash, which any.proto asks for, and their values arrive as bytes."""
    name = "type.googleapis.com/containerd.events.ContainerCreate"
    event = {"@type": name, "id": "c1", "image": "i", "runtime": {"name": "r", "options": {"@type": name, "id": "inner"}}}
    with Stream(c.gateway.address, "/containerd.services.events.v1.Events/Subscribe",
                json.dumps({"filters": ["namespace==events"]}), accept="application/x-ndjson") as stream:
        def arrives():
            """One that is published before containerd has the subscription is lost."""
            call(c, "events.v1.Events/Publish", {"topic": "/t", "event": event}, namespace="events")
            return select.select([stream.connection.sock], [], [], 0.2)[0]
        wait_for("an event", arrives)
        first = json.loads(stream.line())
        equal((first["topic"], first["event"]), ("/t", event), "published event")
        call(c, "snapshots.v1.Snapshots/Prepare", {"snapshotter": "native", "key": "s1"}, namespace="events")
        while (second := json.loads(stream.line()))["topic"] == "/t":
            pass
        equal((second["topic"], second["event"]["@type"]), ("/snapshot/prepare", "containerd.events.SnapshotPrepare"), "event")
        assert b"s1" in base64.b64decode(second["event"]["value"]), second
    c.gateway.assert_nothing_live()


@test()
def test_snapshots(c):
    service = "snapshots.v1.Snapshots/"
    mounts = call(c, service + "Prepare", {"snapshotter": "native", "key": "k1", "labels": {"a": "b"}}).json()["mounts"]
    equal((mounts[0]["type"], mounts[0]["options"]), ("bind", ["rbind", "rw"]), "mount")
    info = call(c, service + "Stat", {"snapshotter": "native", "key": "k1"}).json()["info"]
    equal((info["kind"], info["labels"]), ("ACTIVE", {"a": "b"}), "snapshot")
    found = call(c, service + "List", {"snapshotter": "native"}).json()
    equal([i["name"] for part in found for i in part["info"]], ["k1"], "list")
    fails(c, service + "Prepare", {"snapshotter": "nope", "key": "k2"}, 400, 3, "nope")
    call(c, service + "Remove", {"snapshotter": "native", "key": "k1"})
    fails(c, service + "Stat", {"snapshotter": "native", "key": "k1"}, 404, 5)
    c.gateway.assert_nothing_live()


@test(30)
def test_restart(_):
    """Who watches is told that the daemon ends; it is found again at the same path."""
    with containerd() as c:
        with Stream(c.gateway.address, "/containerd.services.events.v1.Events/Subscribe", "{}",
                    accept="application/x-ndjson") as stream:
            call(c, "version.v1.Version/Version", {})
            c.daemon.stop()
            error = json.loads(stream.reply.read())
            equal((stream.reply.status, error["code"]), (503, 14), f"end of the stream: {error}")
        fails(c, "version.v1.Version/Version", {}, 503, 14, "grpc.sock")
        with start(c.folder):
            version = f"{c.gateway.url}/containerd.services.version.v1.Version/Version"
            wait_for("an answer", lambda: curl(version, "{}").status == 200)
            c.gateway.assert_nothing_live()


@test(60)
def test_description(c):
    """The OpenAPI document that the gateway makes of these services is valid."""
    reply = curl(c.gateway.url + "/openapi.json")
    equal(reply.status, 200, "HTTP status")
    for path in "/containerd.services.content.v1.Content/Write",:
        assert path in reply.json()["paths"], path
    validate_openapi(reply.body)
    c.gateway.assert_nothing_live()


if __name__ == "__main__":
    main(containerd)
