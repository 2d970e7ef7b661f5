package main

import (
	"context"
	"sort"
	"strings"
	"sync"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A Firestore of documents in memory; a query finds all documents of a collection, and fails behind them when it has an offset.
type documents struct {
	firestorepb.UnimplementedFirestoreServer
	mutex  sync.Mutex
	byName map[string]*firestorepb.Document
}

func (d *documents) BatchGetDocuments(r *firestorepb.BatchGetDocumentsRequest, stream firestorepb.Firestore_BatchGetDocumentsServer) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for _, name := range r.Documents {
		reply := &firestorepb.BatchGetDocumentsResponse{Result: &firestorepb.BatchGetDocumentsResponse_Missing{Missing: name}}
		if found := d.byName[name]; found != nil {
			reply.Result = &firestorepb.BatchGetDocumentsResponse_Found{Found: found}
		}
		if err := stream.Send(reply); err != nil {
			return err
		}
	}
	return nil
}

func (d *documents) CreateDocument(_ context.Context, r *firestorepb.CreateDocumentRequest) (*firestorepb.Document, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	name := r.Parent + "/" + r.CollectionId + "/" + r.DocumentId
	d.byName[name] = &firestorepb.Document{Name: name, Fields: r.Document.GetFields(), CreateTime: timestamppb.Now()}
	return d.byName[name], nil
}

// Only the fields of the mask change.
func (d *documents) UpdateDocument(_ context.Context, r *firestorepb.UpdateDocumentRequest) (*firestorepb.Document, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	found := d.byName[r.Document.Name]
	if found == nil {
		return nil, status.Errorf(codes.NotFound, "%q not found", r.Document.Name)
	}
	for _, path := range r.UpdateMask.GetFieldPaths() {
		if value := r.Document.Fields[path]; value != nil {
			found.Fields[path] = value
		} else {
			delete(found.Fields, path)
		}
	}
	return found, nil
}

func (d *documents) DeleteDocument(_ context.Context, r *firestorepb.DeleteDocumentRequest) (*emptypb.Empty, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	delete(d.byName, r.Name)
	return &emptypb.Empty{}, nil
}

func (d *documents) RunQuery(r *firestorepb.RunQueryRequest, stream firestorepb.Firestore_RunQueryServer) error {
	query := r.GetStructuredQuery()
	if len(query.GetFrom()) != 1 {
		return status.Error(codes.InvalidArgument, "a query needs one collection")
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	prefix := r.Parent + "/" + query.From[0].CollectionId + "/"
	var names []string
	for name := range d.byName {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		if err := stream.Send(&firestorepb.RunQueryResponse{Document: d.byName[name], ReadTime: timestamppb.Now()}); err != nil {
			return err
		}
	}
	if query.Offset > 0 {
		return status.Error(codes.Aborted, "the offset is not served")
	}
	return nil
}
