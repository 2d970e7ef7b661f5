#!/usr/bin/env python3
"""Google's client libraries for Python on their REST transports (PyPI, Apache-2.0), unmodified, against gRPC servers: Google's
own fake of Pub/Sub, and small servers on the generated code that Google publishes for Secret Manager, Firestore and long-running
operations (Go modules cloud.google.com/go/..., Apache-2.0).  Everything the gateway knows of them it has by reflection."""
import contextlib

from harness import CLIENTS, Gateway, Server, curl, equal, go_program, main, python_tools, run_scenarios, test
from services import MODULE, validate_openapi


class Services(Server):
    """Pub/Sub, Secret Manager, Firestore and Operations."""

    def __init__(self):
        super().__init__([go_program("./google", MODULE)], ["grpc"])
        self.address = self.addresses["grpc"]

    def stop(self, status=-15):
        super().stop(status)


@contextlib.contextmanager
def gateway():
    with Services() as services, Gateway(services.address) as server:
        yield server


@test(60)
def test_google_clients(server):
    count = run_scenarios([python_tools("google") / "python", CLIENTS / "google/google_client.py", server.address])
    server.assert_nothing_live()
    return count


@test(60)
def test_description(server):
    """The OpenAPI document that the gateway makes of these services is valid."""
    reply = curl(server.url + "/openapi.json")
    equal(reply.status, 200, "HTTP status")
    for path in "topics/{topics}:publish", "databases/{databases}/documents:runQuery":
        assert "/v1/projects/{projects}/" + path in reply.json()["paths"], path
    validate_openapi(reply.body)
    server.assert_nothing_live()


if __name__ == "__main__":
    main(gateway)
