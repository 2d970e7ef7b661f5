"""Google's client libraries, unmodified, on their REST transports.  Argument: where the services are.  Prints one line per
scenario."""
import pathlib
import sys

import requests
from google.api_core import exceptions
from google.api_core.operations_v1 import AbstractOperationsClient
from google.api_core.operations_v1.transports.rest import OperationsRestTransport
from google.auth.credentials import AnonymousCredentials
from google.cloud import secretmanager_v1 as secretmanager
from google.cloud.firestore_v1 import types as firestore
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreRestTransport
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceRestTransport
from google.protobuf import duration_pb2, field_mask_pb2, struct_pb2
from google.pubsub_v1 import PublisherClient, SchemaServiceClient, SubscriberClient, types as pubsub
from google.pubsub_v1.services.publisher.transports import PublisherRestTransport
from google.pubsub_v1.services.schema_service.transports import SchemaServiceRestTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberRestTransport

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
from scenarios import run, scenario  # pylint: disable=wrong-import-position

PROJECT = "projects/p1"


class Clients:
    def __init__(self, host):
        def make(client, transport, **more):
            return client(transport=transport(host=f"http://{host}", credentials=AnonymousCredentials(), **more))
        self.publisher = make(PublisherClient, PublisherRestTransport)
        self.subscriber = make(SubscriberClient, SubscriberRestTransport)
        self.schemas = make(SchemaServiceClient, SchemaServiceRestTransport)
        self.secrets = make(secretmanager.SecretManagerServiceClient, SecretManagerServiceRestTransport)
        self.firestore = make(FirestoreClient, FirestoreRestTransport)
        self.operations = make(AbstractOperationsClient, OperationsRestTransport, http_options={
            "google.longrunning.Operations.GetOperation": [{"method": "get", "uri": "/v1/{name=operations/**}"}]})


def fails_with(kind, call):
    try:
        reply = call()
    except exceptions.GoogleAPICallError as error:
        assert type(error) is kind, repr(error)  # pylint: disable=unidiomatic-typecheck
        return error
    raise AssertionError(f"succeeded with {reply!r} instead of {kind}")


# --- Pub/Sub --------------------------------------------------------------------------------------------------------------

def topic(clients, name, **fields):
    return clients.publisher.create_topic(pubsub.Topic(name=f"{PROJECT}/topics/{name}", **fields)).name


def subscription(clients, name, **fields):
    return clients.subscriber.create_subscription(pubsub.Subscription(name=f"{PROJECT}/subscriptions/{name}", **fields)).name


@scenario
def create_get_and_delete(clients):
    name = topic(clients, "a.b~c+d%25", labels={"k": "v"})
    assert name == f"{PROJECT}/topics/a.b~c+d%25", name
    assert clients.publisher.get_topic(topic=name).labels == {"k": "v"}
    assert clients.publisher.delete_topic(topic=name) is None
    error = fails_with(exceptions.NotFound, lambda: clients.publisher.get_topic(topic=name))
    assert error.code == 404 and "a.b~c+d%25" in error.message, error


@scenario
def already_exists(clients):
    name = topic(clients, "twice")
    error = fails_with(exceptions.Conflict, lambda: topic(clients, "twice"))
    assert error.response.json()["error"]["status"] == "ALREADY_EXISTS", error.response.text
    clients.publisher.delete_topic(topic=name)


@scenario
def pages(clients):
    names = [topic(clients, f"page-{i}") for i in range(7)]
    pager = clients.publisher.list_topics(pubsub.ListTopicsRequest(project=PROJECT, page_size=3))
    sizes = [len(page.topics) for page in pager.pages]
    assert sizes == [3, 3, 1], sizes
    assert sorted(t.name for t in clients.publisher.list_topics(project=PROJECT)) == names
    for name in names:
        clients.publisher.delete_topic(topic=name)


@scenario
def update_with_a_mask(clients):
    """PATCH with the whole request as the body."""
    source = topic(clients, "updated")
    name = subscription(clients, "updated", topic=source, ack_deadline_seconds=20)
    changed = clients.subscriber.update_subscription(
        subscription=pubsub.Subscription(name=name, ack_deadline_seconds=30, labels={"ignored": "yes"}),
        update_mask=field_mask_pb2.FieldMask(paths=["ack_deadline_seconds"]))
    assert changed.ack_deadline_seconds == 30 and not changed.labels, changed
    fails_with(exceptions.BadRequest, lambda: clients.subscriber.update_subscription(
        subscription=pubsub.Subscription(name=name), update_mask=field_mask_pb2.FieldMask(paths=["no_field"])))
    clients.subscriber.delete_subscription(subscription=name)


@scenario
def publish_pull_acknowledge(clients):
    """Custom verbs, bytes, maps, timestamps."""
    source = topic(clients, "published")
    name = subscription(clients, "pulled", topic=source)
    data = bytes(range(256))
    ids = clients.publisher.publish(topic=source, messages=[
        pubsub.PubsubMessage(data=data, attributes={"ключ": "значение \"1\""}),
        pubsub.PubsubMessage(data=b"second")]).message_ids
    got = {}
    while len(got) < 2:
        for received in clients.subscriber.pull(subscription=name, max_messages=5).received_messages:
            got[received.message.message_id] = received
    assert sorted(got) == sorted(ids), got
    first = got[ids[0]].message
    assert first.data == data and first.attributes == {"ключ": "значение \"1\""}, first
    assert first.publish_time.timestamp() > 1.7e9 and got[ids[1]].message.data == b"second"
    clients.subscriber.modify_ack_deadline(subscription=name, ack_ids=[r.ack_id for r in got.values()], ack_deadline_seconds=60)
    clients.subscriber.acknowledge(subscription=name, ack_ids=[r.ack_id for r in got.values()])
    fails_with(exceptions.NotFound, lambda: clients.subscriber.acknowledge(subscription=name + "x", ack_ids=["a"]))


@scenario
def enums_and_durations(clients):
    source = topic(clients, "enums", message_retention_duration=duration_pb2.Duration(seconds=601, nanos=500_000_000))
    assert clients.publisher.get_topic(topic=source).message_retention_duration.total_seconds() == 601.5
    made = clients.schemas.create_schema(parent=PROJECT, schema_id="s1", schema=pubsub.Schema(
        type_=pubsub.Schema.Type.AVRO, definition='{"type":"string"}'))
    assert made.type_ == pubsub.Schema.Type.AVRO and made.revision_id, made
    got = clients.schemas.get_schema(pubsub.GetSchemaRequest(name=made.name, view=pubsub.SchemaView.FULL))
    assert got.definition == '{"type":"string"}', got
    assert [s.name for s in clients.schemas.list_schemas(parent=PROJECT)] == [made.name]
    clients.schemas.delete_schema(name=made.name)


# --- Secret Manager -------------------------------------------------------------------------------------------------------

def secret(clients, name, **fields):
    return clients.secrets.create_secret(parent=PROJECT, secret_id=name, secret=secretmanager.Secret(
        replication=secretmanager.Replication(automatic=secretmanager.Replication.Automatic()), **fields)).name


@scenario
def error_with_details(clients):
    """What a service attaches to an error comes through unharmed."""
    name = f"{PROJECT}/secrets/nowhere"
    error = fails_with(exceptions.NotFound, lambda: clients.secrets.get_secret(name=name))
    assert error.message.endswith(f"Secret [{name}] not found."), error.message
    assert error.reason == "RESOURCE_MISSING" and error.domain == "secretmanager.test", error
    assert error.metadata == {"name": name}, error.metadata
    assert error.details[1] == {"@type": "type.googleapis.com/google.rpc.ResourceInfo", "resourceType": "Secret",
                                "resourceName": name}, error.details


@scenario
def update_by_query(clients):
    """PATCH with one field as the body and the mask in the query."""
    name = secret(clients, "patched", labels={"a": "1"}, annotations={"b": "2"})
    changed = clients.secrets.update_secret(secret=secretmanager.Secret(name=name, labels={"c": "3"}, annotations={"x": "y"}),
                                            update_mask=field_mask_pb2.FieldMask(paths=["labels"]))
    assert changed.labels == {"c": "3"} and changed.annotations == {"b": "2"}, changed
    # "version_aliases" is versionAliases in the query.
    changed = clients.secrets.update_secret(secret=secretmanager.Secret(name=name, version_aliases={"old": 1}),
                                            update_mask=field_mask_pb2.FieldMask(paths=["version_aliases", "annotations"]))
    assert changed.version_aliases == {"old": 1} and not changed.annotations, changed
    error = fails_with(exceptions.BadRequest, lambda: clients.secrets.update_secret(
        secret=secretmanager.Secret(name=name), update_mask=field_mask_pb2.FieldMask(paths=["none"])))
    assert "none" in error.message, error


@scenario
def pages_of_secrets(clients):
    names = [secret(clients, f"page-{i}") for i in range(5)]
    pages = [[s.name for s in page.secrets] for page in clients.secrets.list_secrets(
        secretmanager.ListSecretsRequest(parent=PROJECT, page_size=2, filter="")).pages]
    assert [len(p) for p in pages] == [2, 2, 2] and set(names) < {n for p in pages for n in p}, pages


@scenario
def access_a_version(clients):
    """A verb behind a name of many segments; bytes and 64 bits."""
    name = secret(clients, "accessed")
    payload = secretmanager.SecretPayload(data=b"\x00\xff\xfe~?>", data_crc32c=0)
    fails_with(exceptions.InternalServerError, lambda: clients.secrets.add_secret_version(parent=name, payload=payload))
    payload = secretmanager.SecretPayload(data=b"\x00\xff\xfe~?>")
    made = clients.secrets.add_secret_version(parent=name, payload=payload)
    assert made.name == f"{name}/versions/1" and made.state == secretmanager.SecretVersion.State.ENABLED, made
    for version in "1", "latest":
        got = clients.secrets.access_secret_version(name=f"{name}/versions/{version}")
        assert got.name == made.name and got.payload.data == payload.data and got.payload.data_crc32c > 0, got
    fails_with(exceptions.NotFound, lambda: clients.secrets.access_secret_version(name=f"{name}/versions/2"))


@scenario
def delete_with_an_etag(clients):
    name = secret(clients, "etag", etag='"a b/c&d=e"')
    fails_with(exceptions.BadRequest, lambda: clients.secrets.delete_secret(name=name))
    clients.secrets.delete_secret(secretmanager.DeleteSecretRequest(name=name, etag='"a b/c&d=e"'))
    fails_with(exceptions.NotFound, lambda: clients.secrets.get_secret(name=name))


# --- Firestore ------------------------------------------------------------------------------------------------------------

DOCUMENTS = f"{PROJECT}/databases/(default)/documents/all/1"  # this client wants something behind "documents/"


def document(clients, collection, name, parent=DOCUMENTS, **fields):
    return clients.firestore.create_document(firestore.CreateDocumentRequest(
        parent=parent, collection_id=collection, document_id=name, document=firestore.Document(fields=fields)))


def query(collection, **more):
    return firestore.RunQueryRequest(parent=DOCUMENTS, structured_query=firestore.StructuredQuery(
        from_=[firestore.StructuredQuery.CollectionSelector(collection_id=collection)], **more))


@scenario
def names_of_many_segments(clients):
    """Two stars take any number of segments.  (Documents are read by batchGet, as Google's own higher library does: the rules of
    GetDocument and ListDocuments match the same paths, and the narrower one, ListDocuments, is taken.)"""
    outer = document(clients, "cities", "Łódź ~'!*", n=firestore.Value(integer_value=1))
    assert outer.name == f"{DOCUMENTS}/cities/Łódź ~'!*", outer.name
    inner = document(clients, "streets", "a:b", parent=outer.name, n=firestore.Value(integer_value=2))
    assert inner.name == f"{outer.name}/streets/a:b", inner.name
    clients.firestore.delete_document(name=inner.name)
    replies = clients.firestore.batch_get_documents(firestore.BatchGetDocumentsRequest(
        database=f"{PROJECT}/databases/(default)", documents=[outer.name, inner.name]))
    assert [(r.found.name, r.missing) for r in replies] == [(outer.name, ""), ("", inner.name)]


@scenario
def values_of_every_kind(clients):
    value = firestore.Value
    inner = {"map_value": {"fields": {"a.b`c": {"integer_value": 0}}}}
    kinds = {
        "null": value(null_value=struct_pb2.NULL_VALUE), "yes": value(boolean_value=True),
        "large": value(integer_value=-(2 ** 63)), "pi": value(double_value=3.141592653589793),
        "endless": value(double_value=float("inf")), "time": value(timestamp_value="2026-01-02T03:04:05.000007Z"),
        "text": value(string_value="\u2028\"\\😀"), "bytes": value(bytes_value=bytes(range(256))),
        "point": value(geo_point_value={"latitude": -0.5, "longitude": 1e-7}),
        "list": value(array_value={"values": [{"string_value": ""}, inner]})}
    made = document(clients, "kinds", "all", **kinds)
    assert made.fields == kinds, made


@scenario
def update_by_a_message_in_the_query(clients):
    """A repeated field of a message that is a parameter: updateMask.fieldPaths, twice."""
    made = document(clients, "updates", "u", **{k: firestore.Value(integer_value=1) for k in "abc"})
    changed = clients.firestore.update_document(
        document=firestore.Document(name=made.name, fields={k: {"integer_value": 2} for k in "ac"}),
        update_mask=firestore.DocumentMask(field_paths=["a", "b"]))
    assert {k: v.integer_value for k, v in changed.fields.items()} == {"a": 2, "c": 1}, changed


@scenario
def server_stream(clients):
    for i in range(300):
        document(clients, "streamed", f"{i:03}", text=firestore.Value(string_value="x" * i))
    replies = list(clients.firestore.run_query(query("streamed")))
    assert [len(r.document.fields["text"].string_value) for r in replies] == list(range(300)), len(replies)
    assert not list(clients.firestore.run_query(query("empty")))


@scenario
def failing_server_stream(clients):
    """Before the first message it is an ordinary error, later the stream breaks: it never looks complete."""
    error = fails_with(exceptions.BadRequest, lambda: list(clients.firestore.run_query(
        firestore.RunQueryRequest(parent=DOCUMENTS, structured_query={}))))
    assert error.message.endswith("a query needs one collection"), error
    document(clients, "broken", "1")
    try:
        replies = list(clients.firestore.run_query(query("broken", offset=1)))
    except (requests.exceptions.RequestException, ValueError, exceptions.GoogleAPICallError):
        return
    raise AssertionError(f"the broken stream looks complete: {replies}")


# --- long-running operations ----------------------------------------------------------------------------------------------

@scenario
def operations(clients):
    """This client, alone of all, sends no $alt."""
    assert clients.operations.get_operation("operations/done").done
    error = fails_with(exceptions.NotFound, lambda: clients.operations.get_operation("operations/lost"))
    assert error.message.endswith("Operation [operations/lost] not found."), error


run(Clients(sys.argv[1]))
