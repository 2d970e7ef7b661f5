"""The tutorial's contract against the calculator, with grpcio and code generated from tutorial.proto.
Usage: tutorial_client.py HOST:PORT GENERATED_FOLDER"""
import sys

import grpc

sys.path.insert(0, sys.argv[2])
import tutorial_pb2 as pb  # noqa: E402
import tutorial_pb2_grpc as pb_grpc  # noqa: E402
from scenarios import fails_with, run, scenario  # noqa: E402


@scenario
def the_five_methods(stub):
    pair = pb.NumberDouble(value1=12, value2=4)
    assert stub.AddNum(pair).value == 16
    assert stub.SubNum(pair).value == 8
    assert stub.MulNum(pair).value == 48
    assert stub.DivNum(pair).value == 3
    assert stub.SquareRoot(pb.Number(value=16)).value == 4


@scenario
def floats_of_32_bits(stub):
    wanted = pb.Number(value=2 ** 0.5).value
    assert stub.SquareRoot(pb.Number(value=2)).value == wanted
    assert stub.AddNum(pb.NumberDouble(value1=1e38, value2=-1e38)).value == 0
    assert stub.DivNum(pb.NumberDouble(value1=-7, value2=2)).value == -3.5


@scenario
def absent_fields_are_zero(stub):
    assert stub.AddNum(pb.NumberDouble()).value == 0
    assert stub.SquareRoot(pb.Number()).value == 0


@scenario
def errors_are_statuses(stub):
    fails_with(grpc.StatusCode.INVALID_ARGUMENT, lambda: stub.DivNum(pb.NumberDouble(value1=1)))
    fails_with(grpc.StatusCode.INVALID_ARGUMENT, lambda: stub.SquareRoot(pb.Number(value=-1)))
    assert stub.SquareRoot(pb.Number(value=9)).value == 3


@scenario
def futures(stub):
    replies = [stub.SquareRoot.future(pb.Number(value=n * n)) for n in range(50)]
    assert [r.result(timeout=5).value for r in replies] == list(range(50))


with grpc.insecure_channel(sys.argv[1]) as channel:
    run(pb_grpc.CalculatorStub(channel))
