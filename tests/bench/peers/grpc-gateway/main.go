// grpc-gateway before one native gRPC upstream: its generated code for the services of the bench, every option at its default.
//
//	GOMAXPROCS=1 grpc-gateway 127.0.0.1:PORT 127.0.0.1:UPSTREAM_PORT
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"square_root/pb"
)

func main() {
	mux := runtime.NewServeMux()
	upstream, err := grpc.NewClient(os.Args[2], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	if err := pb.RegisterCalculatorHandler(context.Background(), mux, upstream); err != nil {
		log.Fatal(err)
	}
	if err := pb.RegisterBenchHandler(context.Background(), mux, upstream); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(os.Args[1], mux))
}
