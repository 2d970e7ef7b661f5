// Calculator.SquareRoot and the service Bench with grpc-go and its generated code, every option at its default: a stream
// has one DATA frame per message.
//
//	GOMAXPROCS=1 grpc-go 127.0.0.1:PORT
package main

import (
	"context"
	"log"
	"math"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"square_root/pb"
)

type calculator struct {
	pb.UnimplementedCalculatorServer
}

func (calculator) SquareRoot(_ context.Context, in *pb.Number) (*pb.Number, error) {
	if in.Value < 0 {
		return nil, status.Error(codes.InvalidArgument, "value must not be negative")
	}
	return &pb.Number{Value: float32(math.Sqrt(float64(in.Value)))}, nil
}

type bench struct {
	pb.UnimplementedBenchServer
}

func (bench) Flood(in *pb.FloodRequest, stream pb.Bench_FloodServer) error {
	reply := &pb.FloodReply{Payload: make([]byte, in.Size)}
	for reply.Index = 0; reply.Index < in.Count; reply.Index++ {
		if err := stream.Send(reply); err != nil {
			return err
		}
	}
	return nil
}

func (bench) Echo(_ context.Context, in *pb.EchoMessage) (*pb.EchoMessage, error) {
	return in, nil
}

func (bench) EchoRecords(_ context.Context, in *pb.Records) (*pb.Records, error) {
	return in, nil
}

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterCalculatorServer(server, calculator{})
	pb.RegisterBenchServer(server, bench{})
	reflection.Register(server)
	log.Fatal(server.Serve(listener))
}
