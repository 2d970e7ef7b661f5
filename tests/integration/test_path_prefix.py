#!/usr/bin/env python3
"""--path-prefix: every protocol, the page and the documents below a path, and nothing beside it."""
import contextlib

from harness import ROOT, SCHEMA, bridge, curl, equal, main, node_clients, run_scenarios, test
from wire import answer, frame, number
from ws import WebSocket

PREFIX = "/api/v1"
SQRT = "/Calculator/SquareRoot"
WEB, TEXT = "content-type: application/grpc-web+proto", "content-type: application/grpc-web-text"
NODE_CLIENTS = {
    "grpc_web.mjs": ["unary", "server_stream", "error_with_details", "unknown_method"],
    "connect_web.mjs": ["unary", "server_stream", "error_with_details"],
    "nice_websocket.mjs": ["unary", "full_duplex", "error"],
}


class Below:
    def __init__(self, gateway):
        self.gateway, self.port = gateway, gateway.port("http")
        self.url = gateway.url + PREFIX


@contextlib.contextmanager
def below():
    with bridge("--path-prefix", PREFIX) as (_, gateway):
        yield Below(gateway)


@test()
def test_every_protocol(s):
    equal(curl(s.url + SQRT, '{"value":16}').json(), {"value": 4}, "JSON")
    equal(curl(s.url + "/v1/sqrt/16").json(), {"value": 4}, "a rule's path")
    equal(curl(s.url + "/v1/add?value1=1&value2=2").json(), {"value": 3}, "a query")
    equal(answer(curl(s.url + SQRT, frame(number(16)), WEB).body)[0], [number(4)], "gRPC-Web")
    equal(curl(s.url + SQRT, number(16), "content-type: application/proto").body, number(4), "Connect")
    with WebSocket(s.port, PREFIX + SQRT) as ws:
        equal(ws.start().request(number(16)).half_close().answer()[1], [number(4)], "WebSocket")
    line = s.gateway.events("call", protocol="websocket")[-1]
    equal(line["path"], SQRT, "path in the log")
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


if __name__ == "__main__":
    main(below)
