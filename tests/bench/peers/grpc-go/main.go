// Calculator.SquareRoot with grpc-go and its generated code, every option at its default.
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

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterCalculatorServer(server, calculator{})
	log.Fatal(server.Serve(listener))
}
