// Google's own fake of Pub/Sub, and small servers of other services on the generated code that Google publishes.
package main

import (
	"context"
	"fmt"
	"os"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
)

func main() {
	server := pstest.NewServerWithCallback(0, func(s *grpc.Server) {
		secretmanagerpb.RegisterSecretManagerServiceServer(s, newSecrets())
		firestorepb.RegisterFirestoreServer(s, &documents{byName: map[string]*firestorepb.Document{}})
		longrunningpb.RegisterOperationsServer(s, operations{})
		reflection.Register(s)
	})
	fmt.Fprintf(os.Stderr, "listening on %s (grpc)\n", server.Addr)
	select {}
}

// Every operation is done, but one.
type operations struct {
	longrunningpb.UnimplementedOperationsServer
}

func (operations) GetOperation(_ context.Context, r *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	if r.Name == "operations/lost" {
		return nil, status.Errorf(codes.NotFound, "Operation [%s] not found.", r.Name)
	}
	return &longrunningpb.Operation{Name: r.Name, Done: true}, nil
}
