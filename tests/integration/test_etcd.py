#!/usr/bin/env python3
"""etcd (Go modules go.etcd.io/etcd/{server,api}/v3, Apache-2.0; fetched, not contained here) behind the gateway, judged by etcd's
own REST gateway, which is grpc-gateway: two members of the same name start from nothing, one is spoken to by its REST gateway,
its twin by drawbridge, and every answer must be the same message, revisions and identities included."""
import base64
import collections
import contextlib
import hashlib
import json
import re
import tempfile

from harness import Gateway, curl, equal, free_port, go_program, main, test, wait_for
from services import MODULE, Daemon, Stream, camel, descriptors, go_module, validate_openapi
from wire import field, split, varint
from ws import WebSocket, left_open

NDJSON = "accept: application/x-ndjson"
# Nothing listens there: a cluster of one never calls itself, and the identities of members are made of these.
PEER, CLIENT = "http://127.0.0.1:2", "http://127.0.0.1:1"
API = "etcd/api/etcdserverpb/rpc.proto"

Twins = collections.namedtuple("Twins", "oracle etcd gateway")


def b64(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


class Etcd(Daemon):
    def __init__(self, folder):
        self.address = f"127.0.0.1:{free_port()}"
        url = f"http://{self.address}"
        self.url = url
        super().__init__(
            [go_program("./etcd", MODULE), "--name", "one", "--data-dir", folder, "--unsafe-no-fsync", "--log-level", "error",
             "--listen-client-urls", url, "--listen-peer-urls", f"http://127.0.0.1:{free_port()}",
             "--advertise-client-urls", CLIENT, "--initial-advertise-peer-urls", PEER, "--initial-cluster", f"one={PEER}"],
            lambda: curl(url + "/health").status == 200, status=-15)  # it passes the signal on to itself

    def metric(self, name):
        text = curl(self.url + "/metrics").body.decode()
        return sum(float(n) for n in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M))


@contextlib.contextmanager
def twins():
    api, openapi = go_module("go.etcd.io/etcd/api/v3"), go_module("github.com/grpc-ecosystem/grpc-gateway/v2")
    schema = descriptors("etcd", {"etcd/api": api, "": openapi}, [API], MODULE / "go.mod")
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two, \
            Etcd(one) as oracle, Etcd(two) as etcd, Gateway(etcd.address, "--descriptors", schema) as gateway:
        yield Twins(oracle, etcd, gateway)


def call(server, path, request, *headers):
    return curl(server.url + path, request if isinstance(request, str) else json.dumps(request), *headers)


def same(t, path, request, *headers, unlike=()):
    """The same request to both; the answer, which must be the same but for the fields `unlike`."""
    wanted, found = call(t.oracle, path, request, *headers), call(t.gateway, path, request, *headers)
    equal((found.status, wanted.status), (200, 200), f"HTTP status of {path}: {found} {wanted}")
    here, there = found.json(), camel(wanted.json())
    for name in unlike:
        assert type(here.pop(name)) is type(there.pop(name)), f"{name} in {found} and {wanted}"
    equal(here, there, f"answer to {path} {request}")
    return found.json()


def same_error(t, path, request, status, code, *headers, message=None):
    """Both refuse with that HTTP status and that code, and with the same words unless the gateway is to say other ones."""
    wanted, found = call(t.oracle, path, request, *headers), call(t.gateway, path, request, *headers)
    equal((found.status, found.json()["code"]), (status, code), f"refusal of {path} {request}: {found}")
    equal((wanted.status, wanted.json()["code"]), (status, code), f"refusal of {path} {request} by the oracle: {wanted}")
    equal(found.json()["details"], wanted.json().get("details", []), "details")  # etcd prints no empty lists
    if message:
        assert message in found.json()["message"], found
    else:
        equal(found.json()["message"], wanted.json()["message"], "message")


def elements(reply):
    """Messages of a stream: lines of the gateway, or results of etcd's own."""
    equal(reply.status, 200, f"HTTP status of {reply}")
    lines = [json.loads(line) for line in reply.body.splitlines() if line]
    return [camel(line["result"]) if "result" in line else line for line in lines]


@test()
def test_put_and_range(t):
    for i in range(3):
        same(t, "/v3/kv/put", {"key": b64(f"range/{i}"), "value": b64(bytes(range(256)))})
    old = same(t, "/v3/kv/put", {"key": b64("range/1"), "value": b64("new"), "prev_kv": True})
    equal(base64.b64decode(old["prevKv"]["value"]), bytes(range(256)), "previous value")
    found = same(t, "/v3/kv/range", {"key": b64("range/"), "range_end": b64("range0"), "sort_order": "DESCEND",
                                     "sortTarget": "MOD", "limit": "2"})
    equal(([base64.b64decode(kv["key"]) for kv in found["kvs"]], found["more"], found["count"]),
          ([b"range/1", b"range/2"], True, "3"), "keys")
    same(t, "/v3/kv/range", {"key": b64("range/0"), "serializable": True, "keys_only": True})
    same(t, "/v3/kv/range", {"key": b64("range/"), "rangeEnd": b64("range0"), "count_only": True})
    same(t, "/v3/kv/range", {"key": b64("none")})
    same(t, "/v3/kv/range", {"key": b64("range/0"), "sort_order": 1, "limit": 1e0, "revision": "3"})
    same(t, "/v3/kv/range", {"key": b64(b"\xfb\xff").replace("+", "-").replace("/", "_").rstrip("=")})  # the other alphabet
    t.gateway.assert_nothing_live()


@test()
def test_transactions(t):
    txn = {"compare": [{"key": b64("txn"), "target": "VERSION", "result": "EQUAL", "version": "0"}],
           "success": [{"request_put": {"key": b64("txn"), "value": b64("1")}}, {"requestRange": {"key": b64("txn")}}],
           "failure": [{"request_txn": {"success": [{"request_delete_range": {"key": b64("txn"), "prev_kv": True}}]}}]}
    equal(same(t, "/v3/kv/txn", txn)["succeeded"], True, "first")
    second = same(t, "/v3/kv/txn", txn)
    assert "succeeded" not in second, second
    inner = second["responses"][0]["responseTxn"]["responses"][0]["responseDeleteRange"]
    equal((inner["deleted"], inner["prevKvs"][0]["value"]), ("1", b64("1")), "nested reply")
    same_error(t, "/v3/kv/txn", {"success": [{"request_put": {"key": b64("twice")}}] * 2}, 400, 3)
    t.gateway.assert_nothing_live()


def compact(t):
    """Revision 2 is history afterwards."""
    for value in "12":
        now = same(t, "/v3/kv/put", {"key": b64("compact"), "value": b64(value)})["header"]["revision"]
    same(t, "/v3/kv/compaction", {"revision": now, "physical": True})


@test()
def test_delete_and_compaction(t):
    for key in "abc":
        same(t, "/v3/kv/put", {"key": b64(f"delete/{key}"), "value": b64(key)})["header"]["revision"]
    gone = same(t, "/v3/kv/deleterange", {"key": b64("delete/a"), "range_end": b64("delete/c"), "prev_kv": True})
    equal((gone["deleted"], len(gone["prevKvs"])), ("2", 2), "deleted")
    compact(t)
    same_error(t, "/v3/kv/range", {"key": b64("delete/a"), "revision": "2"}, 400, 11)
    same_error(t, "/v3/kv/compaction", {"revision": "1"}, 400, 11)
    same_error(t, "/v3/kv/compaction", {"revision": "9223372036854775807"}, 400, 11)
    t.gateway.assert_nothing_live()


@test()
def test_leases(t):
    same(t, "/v3/lease/grant", {"TTL": "600", "ID": "9007199254740993"})  # no double holds it
    same(t, "/v3/kv/put", {"key": b64("leased"), "lease": "9007199254740993"})
    found = same(t, "/v3/lease/timetolive", {"ID": 9007199254740993, "keys": True}, unlike=["TTL"])
    equal((found["ID"], found["keys"]), ("9007199254740993", [b64("leased")]), "lease")
    same(t, "/v3/lease/leases", {})
    # A stream in both directions: three requests, three replies.
    lines = '{"ID":"9007199254740993"}\n{"ID":"9007199254740993"}\n{"ID":"5"}\n'
    alive = elements(call(t.gateway, "/v3/lease/keepalive", lines, NDJSON))
    equal(alive, elements(call(t.oracle, "/v3/lease/keepalive", lines)), "replies")
    equal([(a["ID"], a.get("TTL")) for a in alive], [("9007199254740993", "600")] * 2 + [("5", None)], "replies")
    same(t, "/v3/lease/revoke", {"ID": "9007199254740993"})
    equal("kvs" in same(t, "/v3/kv/range", {"key": b64("leased")}), False, "key of a revoked lease")
    same_error(t, "/v3/lease/revoke", {"ID": "9007199254740993"}, 404, 5)
    same_error(t, "/v3/lease/grant", {"TTL": "9999999999999"}, 400, 11)
    t.gateway.assert_nothing_live()


@test()
def test_cluster_and_maintenance(t):
    equal(same(t, "/v3/cluster/member/list", {})["members"][0]["peerURLs"], [PEER], "addresses")
    status = same(t, "/v3/maintenance/status", {}, unlike=["raftIndex", "raftAppliedIndex", "dbSize", "dbSizeInUse"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", status["version"]), status
    same(t, "/v3/maintenance/alarm", {"action": "GET"})
    same(t, "/v3/maintenance/hashkv", {})
    same(t, "/v3/auth/status", {})
    same_error(t, "/v3/cluster/member/remove", {"ID": "18446744073709551615"}, 404, 5)
    t.gateway.assert_nothing_live()


@test(30)
def test_snapshot(t):
    """A database of some megabytes, as a stream of pieces; it ends in its own checksum."""
    for i in range(3):
        same(t, "/v3/kv/put", {"key": b64(f"large/{i}"), "value": b64(bytes([i]) * 1_000_000)})
    pieces = elements(call(t.gateway, "/v3/maintenance/snapshot", {}, NDJSON))
    assert len(pieces) > 50 and pieces[0]["version"], f"{len(pieces)} pieces"
    left = [int(p.get("remainingBytes", 0)) for p in pieces]
    assert left == sorted(left, reverse=True) and left[-1] == 0, left
    data = b"".join(base64.b64decode(p["blob"]) for p in pieces)
    assert len(data) > 3_000_000, len(data)
    equal(data[-32:], hashlib.sha256(data[:-32]).digest(), "checksum of the snapshot")
    whole = call(t.gateway, "/v3/maintenance/snapshot", {}).json()  # as one array
    equal(len(b"".join(base64.b64decode(p["blob"]) for p in whole)), len(data), "size")
    t.gateway.assert_nothing_live()


def watchers(t):
    return t.etcd.metric("etcd_debugging_mvcc_watcher_total")


@test()
def test_watch(t):
    """Events come while the stream is open, and etcd hears that the client is gone."""
    create = json.dumps({"create_request": {"key": b64("watch/"), "range_end": b64("watch0"), "prev_kv": True}})
    put, delete = {"key": b64("watch/1"), "value": b64("x")}, {"key": b64("watch/1")}
    with Stream(t.gateway.address, "/v3/watch", create, accept="application/x-ndjson") as here, \
            Stream(t.oracle.address, "/v3/watch", create) as there:
        equal(here.reply.getheader("content-type"), "application/x-ndjson", "content type")
        for request, path in (None, None), (put, "/v3/kv/put"), (put, "/v3/kv/put"), (delete, "/v3/kv/deleterange"):
            if path:
                same(t, path, request)
            found = json.loads(here.line())
            equal(found, camel(json.loads(there.line())["result"]), f"message after {path}")
            if not path:
                equal(found["created"], True, "first message")
        equal([e["type"] for e in found["events"]], ["DELETE"], "last events")
        equal(watchers(t), 1, "watchers in etcd")
    wait_for("etcd to forget the watcher", lambda: watchers(t) == 0)
    t.gateway.assert_nothing_live()


@test()
def test_watch_as_events(t):
    with Stream(t.gateway.address, "/v3/watch", json.dumps({"createRequest": {"key": b64("event")}}),
                accept="text/event-stream") as stream:
        equal(stream.reply.getheader("content-type"), "text/event-stream", "content type")
        equal([stream.line()[:6] for _ in range(3)], [b"id: 1", b"data: ", b""], "first event")
        same(t, "/v3/kv/put", {"key": b64("event"), "value": b64("y")})
        equal(stream.line(), b"id: 2", "id")
        event = json.loads(stream.line().removeprefix(b"data: "))
        equal(event["events"][0]["kv"]["value"], b64("y"), "value")
        # PUT is the default of the enum, which JSON leaves out.
        assert "type" not in event["events"][0], event
    wait_for("etcd to forget the watcher", lambda: watchers(t) == 0)
    t.gateway.assert_nothing_live()


@test()
def test_watch_compacted(t):
    """A watcher that etcd itself cancels, in the middle of a stream that goes on."""
    compact(t)
    request = json.dumps({"create_request": {"key": b64("x"), "start_revision": "1"}})
    with Stream(t.gateway.address, "/v3/watch", request, accept="application/x-ndjson") as here, \
            Stream(t.oracle.address, "/v3/watch", request) as there:
        for _ in range(2):
            found = json.loads(here.line())
            equal(found, camel(json.loads(there.line())["result"]), "message")
        equal((found["canceled"], int(found["compactRevision"]) > 1), (True, True), f"end of {found}")
    t.gateway.assert_nothing_live()


def next_message(socket):
    """The next message of a stream over a WebSocket."""
    data = b""
    while not data or left_open(data):
        _, piece = socket.receive()
        data += b"" if piece[0] & 0x80 and not data else piece  # the block of headers
    return split(data)[0][1]


@test()
def test_watch_in_both_directions(t):
    """Over a WebSocket requests follow while events come: create, event, cancel."""
    with WebSocket(t.gateway.port("http"), "/etcdserverpb.Watch/Watch") as socket:
        socket.start().request(field(1, field(1, b"duplex")))
        next_message(socket)
        equal(watchers(t), 1, "watchers in etcd")
        same(t, "/v3/kv/put", {"key": b64("duplex"), "value": b64("an event")})
        event = next_message(socket)
        assert b"duplex" in event and b"an event" in event, event
        socket.request(field(2, b"\x08" + varint(0)))
        assert next_message(socket).endswith(b"\x20\x01"), "canceled (4) is not true"
        equal(watchers(t), 0, "watchers in etcd")
    t.gateway.assert_nothing_live()


@test()
def test_malformed_requests(t):
    same_error(t, "/v3/kv/range", {}, 400, 3)
    same_error(t, "/v3/kv/range", '{"key":"!"}', 400, 3, message="key: expected base64 at line 1, column 8")
    same_error(t, "/v3/kv/range", '{"key":', 400, 3, message="line 1")
    same_error(t, "/v3/kv/range", '{"key":"","limit":"9223372036854775808"}', 400, 3, message="limit")
    same_error(t, "/v3/kv/range", '{"key":"","sort_order":"SIDEWAYS"}', 400, 3, message="SIDEWAYS")
    same_error(t, "/v3/kv/range", '{"key":"","key":""}', 400, 3, message="key")
    same_error(t, "/v3/nothing", "{}", 404, 5, message="/v3/nothing")
    t.gateway.assert_nothing_live()


@test()
def test_authentication(t):
    same_error(t, "/v3/auth/authenticate", {"name": "root", "password": "p"}, 400, 9)
    same(t, "/v3/auth/user/add", {"name": "root", "password": "p"})
    same(t, "/v3/auth/role/add", {"name": "root"})
    same(t, "/v3/auth/user/grant", {"user": "root", "role": "root"})
    same(t, "/v3/auth/enable", {})
    same_error(t, "/v3/auth/authenticate", {"name": "root", "password": "wrong"}, 400, 3)
    same_error(t, "/v3/kv/range", {"key": b64("a")}, 400, 3)
    same_error(t, "/v3/kv/range", {"key": b64("a")}, 401, 16, "authorization: no-token")
    tokens = [call(s, "/v3/auth/authenticate", {"name": "root", "password": "p"}).json()["token"]
              for s in (t.oracle, t.gateway)]
    for server, token in zip((t.oracle, t.gateway), tokens):
        equal(call(server, "/v3/kv/range", {"key": b64("a")}, f"authorization: {token}").status, 200, "HTTP status")
        equal(call(server, "/v3/auth/disable", {}, f"authorization: {token}").status, 200, "HTTP status")
    t.gateway.assert_nothing_live()


@test(60)
def test_description(t):
    """The OpenAPI document that the gateway makes of these services is valid."""
    reply = curl(t.gateway.url + "/openapi.json")
    equal(reply.status, 200, "HTTP status")
    for path in "/v3/kv/txn", "/v3/watch":
        assert path in reply.json()["paths"], path
    validate_openapi(reply.body)
    t.gateway.assert_nothing_live()


if __name__ == "__main__":
    main(twins)
