#!/usr/bin/env python3
"""Settings that hold for every protocol: --path-prefix (the page and the documents too, and nothing beside it), deadlines,
cross-origin answers."""
import contextlib
import time

from harness import ROOT, SCHEMA, Gateway, bridge, curl, equal, main, node_clients, run_scenarios, test, wait_for
from wire import answer, frame, number, slow
from ws import WebSocket

PREFIX = "/api/v1"
SQRT, SLOW = "/Calculator/SquareRoot", "/Calculator/SlowSquareRoot"
PAGE = "https://app.example"
WEB, TEXT = "content-type: application/grpc-web+proto", "content-type: application/grpc-web-text"
NODE_CLIENTS = {
    "grpc_web.mjs": ["unary", "server_stream", "error_with_details", "unknown_method"],
    "connect_web.mjs": ["unary", "server_stream", "error_with_details"],
    "nice_websocket.mjs": ["unary", "full_duplex", "error"],
}


class Below:
    def __init__(self, calculator, gateway):
        self.calculator = calculator
        self.gateway, self.port = gateway, gateway.port("http")
        self.url = gateway.url + PREFIX


@contextlib.contextmanager
def below():
    with bridge("--path-prefix", PREFIX) as servers:
        yield Below(*servers)


@test()
def test_every_protocol(s):
    equal(curl(s.url + SQRT, '{"value":16}').json(), {"value": 4}, "JSON")
    equal(curl(s.url + "/v1/sqrt/16").json(), {"value": 4}, "a rule's path")
    equal(curl(s.url + "/v1/add?value1=1&value2=2").json(), {"value": 3}, "a query")
    equal(answer(curl(s.url + SQRT, frame(number(16)), WEB).body)[0], [number(4)], "gRPC-Web")
    equal(curl(s.url + SQRT, number(16), "content-type: application/proto").body, number(4), "Connect")
    with WebSocket(s.port, PREFIX + SQRT) as ws:
        equal(ws.start().request(number(16)).half_close().answer()[1], [number(4)], "WebSocket")
    lines = wait_for("the call's line", lambda: s.gateway.events("call", protocol="websocket"))
    equal(lines[-1]["path"], SQRT, "path in the log")
    equal(curl(s.url + "/none").status, 404, "status of an unknown path below")
    status = answer(curl(s.url + "/no.Such/Method", frame(b""), WEB).body)[1]
    equal(status["grpc-status"], "12", "status of an unknown method below")


@test()
def test_nothing_beside_it(s):
    calls = s.gateway.metric("drawbridge_upstream_calls_total")
    for path in (SQRT, "/v1/sqrt/16", "/", "/openapi.json", "/descriptors.binpb", "/api", PREFIX, PREFIX + "x" + SQRT,
                 "/api%2Fv1" + SQRT, "/api/../api/v1" + SQRT, "/API/V1" + SQRT):
        reply = curl(s.gateway.url + path)
        equal((reply.status, reply.headers["content-type"]), (404, "application/json"), f"answer for {path}")
        equal(sorted(reply.json()), ["code", "details", "message"], "its fields")
        assert PREFIX + "/" in reply.json()["message"], reply
    for content_type in (WEB, TEXT, "content-type: Application/gRPC-Web; charset=utf-8"):
        reply = curl(s.gateway.url + SQRT, frame(number(16)), content_type, "origin: http://localhost:1")
        equal((reply.status, reply.headers["grpc-status"], reply.body), (200, "12", b""), "gRPC-Web")
        assert PREFIX in reply.headers["grpc-message"], reply
        equal(reply.headers["access-control-allow-origin"], "http://localhost:1", "allowed origin")
    with WebSocket(s.port, SQRT) as ws:
        equal(ws.status, 404, "HTTP status of a WebSocket")
    equal(s.gateway.metric("drawbridge_upstream_calls_total"), calls, "calls that went upstream")


@test()
def test_page_and_documents(s):
    page = curl(s.url + "/")
    equal((page.status, page.headers["content-type"]), (200, "text/html; charset=utf-8"), "the page")
    for link in ("app.js", "style.css", "services.json"):  # relative, so that they stay below
        assert f'"{link}"' in page.body.decode(), link
        equal(curl(f"{s.url}/{link}").status, 200, f"status of {link}")
    document = curl(s.url + "/openapi.json").json()
    equal(document["servers"], [{"url": PREFIX}], "servers")
    assert "/v1/sqrt/{value}" in document["paths"], sorted(document["paths"])
    equal(curl(s.gateway.url + document["servers"][0]["url"] + "/v1/sqrt/16").json(), {"value": 4}, "a call as described")
    equal(curl(s.url + "/descriptors.binpb").status, 200, "status of the descriptors")


@test()
def test_admin_is_not_below(s):
    equal(s.gateway.admin("/readyz")[0], 200, "status of /readyz")
    equal(s.gateway.admin(PREFIX + "/readyz")[0], 404, "status below the prefix")


@test(60)
def test_npm_clients(s):
    """Their base URL is the prefix."""
    folder, environment = node_clients(), {"PROTO": str(ROOT / "proto/calculator.proto"), "SCHEMA": str(SCHEMA)}
    return sum(run_scenarios(["node", folder / client, s.url, *names], environment=environment)
               for client, names in NODE_CLIENTS.items())


# --- deadlines ---

def codes(gateway, *headers):
    """The status of a call of 20 s in each protocol."""
    message = slow(4, 20)
    grpc_web = answer(curl(gateway.url + SLOW, frame(message), WEB, *headers).body)[1]["grpc-status"]
    rest = curl(gateway.url + SLOW, '{"value":4,"delay":"20s"}', *headers).json()["code"]
    connect = curl(gateway.url + SLOW, message, "content-type: application/proto", *headers).json()["code"]
    with WebSocket(gateway.port("http"), SLOW) as ws:
        fields = [h.split(": ") for h in headers if h.startswith("grpc")]
        websocket = ws.start(*fields).request(message).half_close().answer()[2]["grpc-status"]
    return int(grpc_web), rest, connect, int(websocket)


@test(30)
def test_deadlines(s):
    asked = "grpc-timeout: 100m", "connect-timeout-ms: 100"
    for flags, headers, least, most in (
            (["--default-timeout", "400ms"], [], 1.6, 6),
            (["--default-timeout", "10s"], asked, 0.4, 3),  # the client's own counts
            (["--default-timeout", "10s", "--max-timeout", "200ms"], [], 0.8, 4),
            (["--max-timeout", "200ms"], [], 0.8, 4)):
        with Gateway(s.calculator.address, *flags) as gateway:
            started = time.monotonic()
            equal(codes(gateway, *headers), (4, 4, "deadline_exceeded", 4), f"statuses with {flags}")
            elapsed = time.monotonic() - started
            assert least < elapsed < most, f"four calls took {elapsed:.2f} s with {flags}"


# --- cross-origin answers ---

@test()
def test_preflights(s):
    asks = f"origin: {PAGE}", "access-control-request-method: POST", "access-control-request-private-network: true"
    for flags, max_age, private in (([], "7200", None), (["--cors-max-age", "10m", "--cors-private-network"], "600", "true"),
                                    (["--cors-max-age", "0"], "0", None)):
        with Gateway(s.calculator.address, "--cors-origin", PAGE, *flags) as gateway:
            reply = curl(gateway.url + SQRT, None, *asks, method="OPTIONS")
            equal((reply.status, reply.headers["access-control-max-age"],
                   reply.headers.get("access-control-allow-private-network")), (204, max_age, private), f"with {flags}")
            refused = curl(gateway.url + SQRT, None, "origin: https://evil.example", *asks[1:], method="OPTIONS")
            equal((refused.status, refused.headers.get("access-control-allow-private-network")), (403, None), "other origin")


if __name__ == "__main__":
    main(below)
