package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A Secret Manager that keeps everything in memory.
type secrets struct {
	secretmanagerpb.UnimplementedSecretManagerServiceServer
	mutex    sync.Mutex
	secrets  map[string]*secretmanagerpb.Secret
	payloads map[string][][]byte // by name of the secret; version N is element N-1
}

func newSecrets() *secrets {
	return &secrets{secrets: map[string]*secretmanagerpb.Secret{}, payloads: map[string][][]byte{}}
}

// An error with two details, as Google's services send them.
func missing(name string) error {
	st, err := status.New(codes.NotFound, fmt.Sprintf("Secret [%s] not found.", name)).WithDetails(
		&errdetails.ErrorInfo{Reason: "RESOURCE_MISSING", Domain: "secretmanager.test", Metadata: map[string]string{"name": name}},
		&errdetails.ResourceInfo{ResourceType: "Secret", ResourceName: name})
	if err != nil {
		return err
	}
	return st.Err()
}

func (s *secrets) find(name string) (*secretmanagerpb.Secret, error) {
	if secret := s.secrets[name]; secret != nil {
		return secret, nil
	}
	return nil, missing(name)
}

func (s *secrets) CreateSecret(_ context.Context, r *secretmanagerpb.CreateSecretRequest) (*secretmanagerpb.Secret, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	name := r.Parent + "/secrets/" + r.SecretId
	if s.secrets[name] != nil {
		return nil, status.Errorf(codes.AlreadyExists, "Secret [%s] already exists.", name)
	}
	secret := proto.Clone(r.Secret).(*secretmanagerpb.Secret)
	secret.Name, secret.CreateTime = name, timestamppb.Now()
	s.secrets[name] = secret
	return secret, nil
}

func (s *secrets) GetSecret(_ context.Context, r *secretmanagerpb.GetSecretRequest) (*secretmanagerpb.Secret, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.find(r.Name)
}

func (s *secrets) ListSecrets(_ context.Context, r *secretmanagerpb.ListSecretsRequest) (*secretmanagerpb.ListSecretsResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var names []string
	for name := range s.secrets {
		if strings.HasPrefix(name, r.Parent+"/secrets/") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	reply := &secretmanagerpb.ListSecretsResponse{TotalSize: int32(len(names))}
	first, _ := strconv.Atoi(r.PageToken)
	for i := first; i < len(names) && i < first+int(r.PageSize); i++ {
		reply.Secrets = append(reply.Secrets, s.secrets[names[i]])
	}
	if next := first + int(r.PageSize); next < len(names) {
		reply.NextPageToken = strconv.Itoa(next)
	}
	return reply, nil
}

func (s *secrets) UpdateSecret(_ context.Context, r *secretmanagerpb.UpdateSecretRequest) (*secretmanagerpb.Secret, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	secret, err := s.find(r.Secret.GetName())
	if err != nil {
		return nil, err
	}
	from, to := r.Secret.ProtoReflect(), secret.ProtoReflect()
	for _, path := range r.UpdateMask.GetPaths() {
		field := from.Descriptor().Fields().ByName(protoreflect.Name(path))
		if field == nil {
			return nil, status.Errorf(codes.InvalidArgument, "update_mask: %q is no field", path)
		}
		to.Clear(field)
		if from.Has(field) {
			to.Set(field, from.Get(field))
		}
	}
	return secret, nil
}

func (s *secrets) DeleteSecret(_ context.Context, r *secretmanagerpb.DeleteSecretRequest) (*emptypb.Empty, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	secret, err := s.find(r.Name)
	if err != nil {
		return nil, err
	}
	if r.Etag != secret.Etag {
		return nil, status.Error(codes.FailedPrecondition, "The etag does not match.")
	}
	delete(s.secrets, r.Name)
	return &emptypb.Empty{}, nil
}

func (s *secrets) AddSecretVersion(_ context.Context, r *secretmanagerpb.AddSecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if _, err := s.find(r.Parent); err != nil {
		return nil, err
	}
	if sum := checksum(r.Payload.Data); r.Payload.DataCrc32C != nil && *r.Payload.DataCrc32C != sum {
		return nil, status.Errorf(codes.DataLoss, "The checksum is %d.", sum)
	}
	s.payloads[r.Parent] = append(s.payloads[r.Parent], slices.Clone(r.Payload.Data))
	return &secretmanagerpb.SecretVersion{
		Name:                           fmt.Sprintf("%s/versions/%d", r.Parent, len(s.payloads[r.Parent])),
		State:                          secretmanagerpb.SecretVersion_ENABLED,
		ClientSpecifiedPayloadChecksum: r.Payload.DataCrc32C != nil,
	}, nil
}

func (s *secrets) AccessSecretVersion(_ context.Context, r *secretmanagerpb.AccessSecretVersionRequest) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	parent, version, _ := strings.Cut(r.Name, "/versions/")
	number, _ := strconv.Atoi(version)
	if version == "latest" {
		number = len(s.payloads[parent])
	}
	if number < 1 || number > len(s.payloads[parent]) {
		return nil, missing(r.Name)
	}
	data := s.payloads[parent][number-1]
	sum := checksum(data)
	return &secretmanagerpb.AccessSecretVersionResponse{
		Name:    fmt.Sprintf("%s/versions/%d", parent, number),
		Payload: &secretmanagerpb.SecretPayload{Data: data, DataCrc32C: &sum},
	}, nil
}

func checksum(data []byte) int64 {
	return int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}
