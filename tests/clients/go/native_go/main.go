// grpc-go against the calculator: it learns the messages by reflection v1 and calls with dynamic ones.
// One line "ok NAME" or "not ok NAME: reason" per scenario.
//
//	native_go HOST:PORT
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const prefix = "/Calculator/"

type client struct {
	conn    *grpc.ClientConn
	service protoreflect.ServiceDescriptor
}

// The service's descriptor with everything it needs, by reflection.
func (c *client) learn(ctx context.Context) error {
	stream, err := grpc_reflection_v1.NewServerReflectionClient(c.conn).ServerReflectionInfo(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "Calculator"}})
	if err != nil {
		return err
	}
	reply, err := stream.Recv()
	if err != nil {
		return err
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, bytes := range reply.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(bytes, file); err != nil {
			return err
		}
		set.File = append(set.File, file)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return fmt.Errorf("the files of one reply do not stand alone: %w", err)
	}
	found, err := files.FindDescriptorByName("Calculator")
	if err != nil {
		return err
	}
	c.service = found.(protoreflect.ServiceDescriptor)
	stream.CloseSend()
	_, err = stream.Recv()
	if err != io.EOF {
		return fmt.Errorf("reflection stream after half-close: %v", err)
	}
	return nil
}

func (c *client) method(name string) protoreflect.MethodDescriptor {
	return c.service.Methods().ByName(protoreflect.Name(name))
}

func fromJSON(d protoreflect.MessageDescriptor, text string) *dynamicpb.Message {
	m := dynamicpb.NewMessage(d)
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		panic(err)
	}
	return m
}

// Without the blanks that protojson puts in at random.
func toJSON(m proto.Message) string {
	return strings.ReplaceAll(protojson.MarshalOptions{}.Format(m), " ", "")
}

func (c *client) unary(ctx context.Context, name, request string, options ...grpc.CallOption) (string, error) {
	method := c.method(name)
	reply := dynamicpb.NewMessage(method.Output())
	err := c.conn.Invoke(ctx, prefix+name, fromJSON(method.Input(), request), reply, options...)
	return toJSON(reply), err
}

func (c *client) stream(ctx context.Context, name string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	method := c.method(name)
	return c.conn.NewStream(ctx, &grpc.StreamDesc{
		ClientStreams: method.IsStreamingClient(), ServerStreams: method.IsStreamingServer()}, prefix+name, options...)
}

func (c *client) send(s grpc.ClientStream, name, request string) error {
	return s.SendMsg(fromJSON(c.method(name).Input(), request))
}

func (c *client) receive(s grpc.ClientStream, name string) (string, error) {
	reply := dynamicpb.NewMessage(c.method(name).Output())
	err := s.RecvMsg(reply)
	return toJSON(reply), err
}

// All messages of a server stream.
func (c *client) collect(ctx context.Context, name, request string, options ...grpc.CallOption) ([]string, error) {
	s, err := c.stream(ctx, name, options...)
	if err != nil {
		return nil, err
	}
	if err := c.send(s, name, request); err != nil {
		return nil, err
	}
	s.CloseSend()
	var replies []string
	for {
		reply, err := c.receive(s, name)
		if err == io.EOF {
			return replies, nil
		}
		if err != nil {
			return replies, err
		}
		replies = append(replies, reply)
	}
}

func expect(found, wanted string, err error) error {
	if err != nil {
		return err
	}
	if found != wanted {
		return fmt.Errorf("%s instead of %s", found, wanted)
	}
	return nil
}

func expectCode(err error, wanted codes.Code) error {
	if status.Code(err) != wanted {
		return fmt.Errorf("%v instead of %v", err, wanted)
	}
	return nil
}

func unary(ctx context.Context, c *client) error {
	reply, err := c.unary(ctx, "SquareRoot", `{"value":16}`)
	if err := expect(reply, `{"value":4}`, err); err != nil {
		return err
	}
	reply, err = c.unary(ctx, "CombineVectors", `{"operation":"ADD","left":[1,2],"right":[3,4]}`)
	return expect(reply, `{"result":[4,6],"dotProduct":11}`, err)
}

func headersAndTrailers(ctx context.Context, c *client) error {
	var header, trailer metadata.MD
	_, err := c.unary(ctx, "SquareRoot", `{"value":16}`, grpc.Header(&header), grpc.Trailer(&trailer))
	if err == nil && !strings.HasPrefix(header.Get("content-type")[0], "application/grpc") {
		err = fmt.Errorf("headers %v", header)
	}
	return err
}

func serverStream(ctx context.Context, c *client) error {
	replies, err := c.collect(ctx, "PrimeFactors", `{"number":"60"}`)
	return expect(fmt.Sprint(replies),
		`[{"factor":"2"} {"factor":"2","index":1} {"factor":"3","index":2} {"factor":"5","index":3}]`, err)
}

func clientStream(ctx context.Context, c *client) error {
	s, err := c.stream(ctx, "Statistics")
	if err != nil {
		return err
	}
	for _, n := range []string{"1", "2", "3"} {
		if err := c.send(s, "Statistics", `{"value":`+n+`}`); err != nil {
			return err
		}
	}
	s.CloseSend()
	reply, err := c.receive(s, "Statistics")
	return expect(reply, `{"count":"3","sum":6,"mean":2,"variance":0.6666666666666666,"min":1,"max":3}`, err)
}

func bidirectionalStream(ctx context.Context, c *client) error {
	s, err := c.stream(ctx, "RunningTotal")
	if err != nil {
		return err
	}
	for i, total := range []string{"5", "10", "15"} {
		if err := c.send(s, "RunningTotal", `{"value":5}`); err != nil {
			return err
		}
		reply, err := c.receive(s, "RunningTotal")
		if err := expect(reply, fmt.Sprintf(`{"total":%s,"count":"%d"}`, total, i+1), err); err != nil {
			return err
		}
	}
	s.CloseSend()
	if _, err = c.receive(s, "RunningTotal"); err != io.EOF {
		return fmt.Errorf("end of stream: %v", err)
	}
	return nil
}

func deadline(ctx context.Context, c *client) error {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err := c.unary(ctx, "SlowSquareRoot", `{"value":4,"delay":"22s"}`)
	if time.Since(started) > 1500*time.Millisecond {
		return errors.New("the deadline came late")
	}
	return expectCode(err, codes.DeadlineExceeded)
}

func cancellation(ctx context.Context, c *client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.stream(ctx, "PrimeFactors")
	if err != nil {
		return err
	}
	if err := c.send(s, "PrimeFactors", `{"number":"64","delay":"0.1s"}`); err != nil {
		return err
	}
	if _, err := c.receive(s, "PrimeFactors"); err != nil {
		return err
	}
	cancel()
	for err == nil {
		_, err = c.receive(s, "PrimeFactors")
	}
	return expectCode(err, codes.Canceled)
}

func errorDetails(ctx context.Context, c *client) error {
	_, err := c.unary(ctx, "SquareRoot", `{"value":-1}`)
	if err := expectCode(err, codes.InvalidArgument); err != nil {
		return err
	}
	for _, detail := range status.Convert(err).Details() {
		if request, ok := detail.(*errdetails.BadRequest); ok {
			return expect(request.FieldViolations[0].Field, "value", nil)
		}
	}
	return errors.New("no BadRequest among the details")
}

func unknownMethod(ctx context.Context, c *client) error {
	in := fromJSON(c.method("SquareRoot").Input(), `{}`)
	return expectCode(c.conn.Invoke(ctx, "/Calculator/Cube", in, in), codes.Unimplemented)
}

func gzipBothWays(ctx context.Context, c *client) error {
	payload := strings.Repeat("AAAA", 100000)
	reply, err := c.unary(ctx, "Echo", `{"payload":"`+payload+`"}`, grpc.UseCompressor(gzip.Name))
	return expect(reply, `{"payload":"`+payload+`"}`, err)
}

// A compressor that servers do not know.
type unheardOf struct{}

func (unheardOf) Name() string                                 { return "unheard-of" }
func (unheardOf) Compress(w io.Writer) (io.WriteCloser, error) { return nopCloser{w}, nil }
func (unheardOf) Decompress(r io.Reader) (io.Reader, error)    { return r, nil }

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func unknownCompression(ctx context.Context, c *client) error {
	encoding.RegisterCompressor(unheardOf{})
	_, err := c.unary(ctx, "SquareRoot", `{"value":4}`, grpc.UseCompressor("unheard-of"))
	return expectCode(err, codes.Unimplemented)
}

func tooLarge(ctx context.Context, c *client) error {
	payload := strings.Repeat("AAAA", 6<<20/3)
	_, err := c.unary(ctx, "Echo", `{"payload":"`+payload+`"}`)
	return expectCode(err, codes.ResourceExhausted)
}

func manyCallsAtOnce(ctx context.Context, c *client) error {
	var all sync.WaitGroup
	failures := make(chan error, 500)
	for i := range 500 {
		all.Go(func() {
			reply, err := c.unary(ctx, "SlowSquareRoot", fmt.Sprintf(`{"value":%d,"delay":"0.02s"}`, i*i))
			wanted := fmt.Sprintf(`{"value":%d}`, i)
			if i == 0 {
				wanted = `{}`
			}
			failures <- expect(reply, wanted, err)
		})
	}
	all.Wait()
	for range 500 {
		if err := <-failures; err != nil {
			return err
		}
	}
	return nil
}

func largeStream(ctx context.Context, c *client) error {
	replies, err := c.collect(ctx, "Flood", `{"count":"300","size":20000}`)
	return expect(fmt.Sprint(len(replies)), "300", err)
}

func health(ctx context.Context, c *client) error {
	service := grpc_health_v1.NewHealthClient(c.conn)
	reply, err := service.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "Calculator"})
	if err := expect(reply.GetStatus().String(), "SERVING", err); err != nil {
		return err
	}
	if _, err = service.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "no.such"}); status.Code(err) != codes.NotFound {
		return fmt.Errorf("unknown service: %v", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch, err := service.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	reply, err = watch.Recv()
	if err := expect(reply.GetStatus().String(), "SERVING", err); err != nil {
		return err
	}
	list, err := service.List(ctx, &grpc_health_v1.HealthListRequest{})
	return expect(list.GetStatuses()["Calculator"].GetStatus().String(), "SERVING", err)
}

// Errors must not end the stream, and methods are symbols.
func reflection(ctx context.Context, c *client) error {
	stream, err := grpc_reflection_v1.NewServerReflectionClient(c.conn).ServerReflectionInfo(ctx)
	if err != nil {
		return err
	}
	ask := func(symbol string) (*grpc_reflection_v1.ServerReflectionResponse, error) {
		stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
			MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}})
		return stream.Recv()
	}
	reply, err := ask("no.such.Symbol")
	if err != nil || codes.Code(reply.GetErrorResponse().GetErrorCode()) != codes.NotFound {
		return fmt.Errorf("unknown symbol: %v %v", reply, err)
	}
	for _, symbol := range []string{"Calculator.AddNum", "HistoryRecord", "Operation", "google.protobuf.Timestamp"} {
		reply, err = ask(symbol)
		if err != nil || len(reply.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
			return fmt.Errorf("%s: %v %v", symbol, reply.GetErrorResponse(), err)
		}
	}
	return nil
}

var scenarios = []struct {
	name string
	run  func(context.Context, *client) error
}{
	{"unary", unary},
	{"headers_and_trailers", headersAndTrailers},
	{"server_stream", serverStream},
	{"client_stream", clientStream},
	{"bidirectional_stream", bidirectionalStream},
	{"deadline", deadline},
	{"cancellation", cancellation},
	{"error_details", errorDetails},
	{"unknown_method", unknownMethod},
	{"gzip", gzipBothWays},
	{"unknown_compression", unknownCompression},
	{"too_large", tooLarge},
	{"many_calls_at_once", manyCallsAtOnce},
	{"large_stream", largeStream},
	{"health", health},
	{"reflection_v1", reflection},
}

func main() {
	conn, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println("not ok client:", err)
		os.Exit(1)
	}
	defer conn.Close()
	c := &client{conn: conn}
	failed := false
	report := func(name string, err error) {
		if err == nil {
			fmt.Println("ok", name)
			return
		}
		failed = true
		fmt.Printf("not ok %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	if err := c.learn(ctx); err != nil {
		report("reflection", err)
		os.Exit(1)
	}
	for _, s := range scenarios {
		report(s.name, s.run(ctx, c))
	}
	if failed {
		os.Exit(1)
	}
}
