// vanguard before one native gRPC upstream, which it reaches through Go's reverse proxy over one HTTP/2 connection; every
// other option at its default.  Plain JSON is REST for it, so that it needs a rule for the path.
//
//	GOMAXPROCS=1 vanguard 127.0.0.1:PORT 127.0.0.1:UPSTREAM_PORT
package main

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"

	"connectrpc.com/vanguard"
	"google.golang.org/genproto/googleapis/api/annotations"

	"square_root/pb"
)

func main() {
	upstream := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: os.Args[2]})
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	upstream.Transport = &http.Transport{Protocols: protocols}
	upstream.FlushInterval = -1
	transcoder, err := vanguard.NewTranscoder([]*vanguard.Service{
		vanguard.NewServiceWithSchema(pb.File_square_root_proto.Services().ByName("Calculator"), upstream,
			vanguard.WithTargetProtocols(vanguard.ProtocolGRPC), vanguard.WithTargetCodecs(vanguard.CodecProto)),
	}, vanguard.WithRules(&annotations.HttpRule{
		Selector: "Calculator.SquareRoot",
		Pattern:  &annotations.HttpRule_Post{Post: "/Calculator/SquareRoot"},
		Body:     "*",
	}))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(os.Args[1], transcoder))
}
