//go:build tools

// Pins the programs of the conformance suite; built by tests/integration/test_conformance.py.
package conformance

import (
	_ "connectrpc.com/conformance/cmd/connectconformance"
	_ "connectrpc.com/conformance/cmd/grpcserver"
	_ "connectrpc.com/conformance/cmd/referenceclient"
	_ "connectrpc.com/conformance/cmd/referenceserver"
)
