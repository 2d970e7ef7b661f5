"""Everything else that a native server owes to grpcio: all kinds of calls, deadlines, cancellation, error details, gzip,
health, reflection.  Usage: native_client.py HOST:PORT GENERATED_FOLDER"""
import sys
import threading
import time

import grpc
from google.protobuf import descriptor_pool
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

sys.path.insert(0, sys.argv[2])
import calculator_pb2 as pb  # noqa: E402
import calculator_pb2_grpc as pb_grpc  # noqa: E402
from scenarios import fails_with, run, scenario  # noqa: E402

MIB = 1 << 20
OPTIONS = [("grpc.max_receive_message_length", 16 * MIB), ("grpc.enable_retries", 0)]


def seconds(value):
    return {"seconds": int(value), "nanos": int(value % 1 * 1e9)}


def stub(channel):
    return pb_grpc.CalculatorStub(channel)


@scenario
def unary(channel):
    calc = stub(channel)
    assert calc.AddNum(pb.NumberDouble(value1=1.5, value2=2)).value == 3.5
    reply = calc.CombineVectors(pb.VectorsRequest(operation=pb.MULTIPLY, left=[1, 2, 3], right=[4, 5, 6]))
    assert list(reply.result) == [4, 10, 18] and reply.dot_product == 32
    reply = calc.Batch(pb.BatchRequest(items=[pb.BatchItem(operation=pb.ADD, left=1, right=2),
                                              pb.BatchItem(operation=pb.DIVIDE, left=1)]))
    assert reply.results[0].value == 3 and reply.results[1].WhichOneof("outcome") == "error"


@scenario
def pages(channel):
    calc = stub(channel)
    first = calc.ListHistory(pb.ListHistoryRequest(page_size=7))
    assert len(first.records) == 7 and first.next_page_token
    second = calc.ListHistory(pb.ListHistoryRequest(page_size=7, page_token=first.next_page_token))
    assert second.records[0].sequence == first.records[-1].sequence + 1
    assert second.records[0].time.seconds > 0 and second.records[0].name


@scenario
def server_stream(channel):
    replies = list(stub(channel).PrimeFactors(pb.PrimeFactorsRequest(number=360360)))
    assert [r.factor for r in replies] == [2, 2, 2, 3, 3, 5, 7, 11, 13]
    assert [r.index for r in replies] == list(range(9))


@scenario
def messages_arrive_as_they_are_sent(channel):
    started = time.monotonic()
    replies = stub(channel).PrimeFactors(pb.PrimeFactorsRequest(number=6, delay=seconds(0.3)))
    next(replies)
    first = time.monotonic() - started
    next(replies)
    assert 0.25 < first < 0.55, f"the first message after {first} s"
    assert list(replies) == []


@scenario
def large_server_stream(channel):
    total = 0
    for index, reply in enumerate(stub(channel).Flood(pb.FloodRequest(count=2000, size=10000))):
        assert reply.index == index
        total += len(reply.payload)
    assert total == 20_000_000


@scenario
def client_stream(channel):
    reply = stub(channel).Statistics(pb.Number(value=n) for n in (2, 4, 4, 4, 5, 5, 7, 9))
    assert (reply.count, reply.sum, reply.mean, reply.variance, reply.min, reply.max) == (8, 40, 5, 4, 2, 9)
    assert stub(channel).Statistics(iter(())).count == 0


@scenario
def bidirectional_stream(channel):
    turn = threading.Semaphore(1)

    def numbers():
        for n in range(1, 6):
            assert turn.acquire(timeout=5), "no reply to the previous number"
            yield pb.Number(value=n)

    totals = []
    for reply in stub(channel).RunningTotal(numbers()):
        totals.append(reply.total)
        turn.release()
    assert totals == [1, 3, 6, 10, 15]


@scenario
def deadline(channel):
    started = time.monotonic()
    fails_with(grpc.StatusCode.DEADLINE_EXCEEDED,
               lambda: stub(channel).SlowSquareRoot(pb.SlowRequest(value=4, delay=seconds(20)), timeout=0.3))
    assert time.monotonic() - started < 1.5
    assert stub(channel).SlowSquareRoot(pb.SlowRequest(value=4, delay=seconds(0.05)), timeout=5).value == 2
    fails_with(grpc.StatusCode.DEADLINE_EXCEEDED,
               lambda: list(stub(channel).PrimeFactors(pb.PrimeFactorsRequest(number=6, delay=seconds(20)), timeout=0.2)))


@scenario
def cancellation(channel):
    call = stub(channel).SlowSquareRoot.future(pb.SlowRequest(value=4, delay=seconds(21)))
    time.sleep(0.1)
    call.cancel()
    assert call.code() == grpc.StatusCode.CANCELLED
    replies = stub(channel).PrimeFactors(pb.PrimeFactorsRequest(number=6, delay=seconds(0.1)))
    next(replies)
    replies.cancel()
    fails_with(grpc.StatusCode.CANCELLED, lambda: list(replies))


@scenario
def error_details(channel):
    error = fails_with(grpc.StatusCode.INVALID_ARGUMENT, lambda: stub(channel).DivNum(pb.NumberDouble(value1=1)))
    status = rpc_status.from_call(error)  # raises when code or message disagree with the details
    request = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(request), status
    assert request.field_violations[0].field == "value2"
    assert "zero" in request.field_violations[0].description and "zero" in error.details()


@scenario
def errors_of_streams(channel):
    fails_with(grpc.StatusCode.INVALID_ARGUMENT, lambda: list(stub(channel).PrimeFactors(pb.PrimeFactorsRequest(number=1))))


@scenario
def unknown_method_and_service(channel):
    for path in ("/Calculator/Cube", "/No.Such/Method"):
        fails_with(grpc.StatusCode.UNIMPLEMENTED, lambda path=path: channel.unary_unary(path)(b"", timeout=5))


@scenario
def malformed_request(channel):
    error = fails_with(grpc.StatusCode.INVALID_ARGUMENT,
                       lambda: channel.unary_unary("/Calculator/SquareRoot")(b"\x0d\x00", timeout=5))
    assert error.details()


@scenario
def two_messages_to_a_unary_method(channel):
    call = channel.stream_unary("/Calculator/SquareRoot")
    fails_with(grpc.StatusCode.UNIMPLEMENTED, lambda: call(iter((b"", b"")), timeout=5))


@scenario
def large_messages(channel):
    payload = bytes(range(256)) * 12 * 1024
    assert stub(channel).Echo(pb.EchoMessage(payload=payload)).payload == payload
    fails_with(grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: stub(channel).Echo(pb.EchoMessage(payload=bytes(17 * MIB))))
    assert stub(channel).SquareRoot(pb.Number(value=4)).value == 2


@scenario
def gzip(channel):
    payload = b"compressible " * 50000
    reply = stub(channel).Echo(pb.EchoMessage(payload=payload), compression=grpc.Compression.Gzip)
    assert reply.payload == payload
    with grpc.insecure_channel(sys.argv[1], compression=grpc.Compression.Gzip) as compressed:
        assert stub(compressed).Statistics(pb.Number(value=n) for n in range(100)).count == 100


@scenario
def unsupported_compression(channel):
    error = fails_with(grpc.StatusCode.UNIMPLEMENTED, lambda: stub(channel).Echo(
        pb.EchoMessage(payload=b"x" * 1000), compression=grpc.Compression.Deflate))
    assert "gzip" in dict(error.initial_metadata() or ()).get("grpc-accept-encoding", "") or "gzip" in error.details(), error


@scenario
def many_calls_at_once(channel):
    calls = [stub(channel).SlowSquareRoot.future(pb.SlowRequest(value=n * n, delay=seconds(0.05))) for n in range(300)]
    assert [c.result(timeout=15).value for c in calls] == list(range(300))


@scenario
def stalled_reader_stops_nobody(channel):
    stalled = stub(channel).Flood(pb.FloodRequest(count=100000, size=10000))
    next(stalled)
    for n in range(20):
        assert stub(channel).SquareRoot(pb.Number(value=n * n), timeout=5).value == n
    stalled.cancel()


@scenario
def health(channel):
    service = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in ("", "Calculator"):
        assert service.Check(health_pb2.HealthCheckRequest(service=name)).status == serving
    fails_with(grpc.StatusCode.NOT_FOUND, lambda: service.Check(health_pb2.HealthCheckRequest(service="no.such")))
    watch = service.Watch(health_pb2.HealthCheckRequest(service="Calculator"), timeout=5)
    assert next(watch).status == serving
    watch.cancel()
    watch = service.Watch(health_pb2.HealthCheckRequest(service="no.such"), timeout=5)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()
    listed = service.List(health_pb2.HealthListRequest()).statuses
    assert listed["Calculator"].status == serving, listed


@scenario
def reflection_v1alpha(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    services = set(database.get_services())
    assert {"Calculator", "grpc.health.v1.Health"} <= services, services
    pool = descriptor_pool.DescriptorPool(database)
    method = pool.FindServiceByName("Calculator").FindMethodByName("PrimeFactors")
    assert method.server_streaming and method.input_type.full_name == "PrimeFactorsRequest"
    assert pool.FindMessageTypeByName("HistoryRecord").fields_by_name["time"].message_type.full_name \
        == "google.protobuf.Timestamp"


with grpc.insecure_channel(sys.argv[1], options=OPTIONS) as shared:
    run(shared)
