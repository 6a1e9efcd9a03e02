package giftcard_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	giftcard "giftcardgateway.example/giftcard-go"
	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

// A token on a plaintext connection goes no further than this machine.
func TestATokenIsNotSentInPlaintext(t *testing.T) {
	for target, isTaken := range map[string]bool{
		"127.0.0.1:50051":           true,
		"localhost:50051":           true,
		"[::1]:50051":               true,
		"dns:///localhost:50051":    true,
		"unix:///run/giftcard":      true,
		"gateway.example:443":       false,
		"10.0.0.1:50051":            false,
		"localhost.example:50051":   false,
		"dns:///gateway.example:80": false,
		"gateway.example":           false,
	} {
		client, err := giftcard.NewClient(target, giftcard.WithPlaintext(), giftcard.WithToken(giftcard.Token("t")))
		if (err == nil) != isTaken {
			t.Error(target, err)
		}
		if err == nil {
			_ = client.Close()
		}
	}
}

// What contradicts itself, or comes too late for a connection of one's own, is refused.
func TestContradictionsAreRefused(t *testing.T) {
	if _, err := giftcard.NewClient("localhost:1", giftcard.WithPlaintext(), giftcard.WithTLS(&tls.Config{})); err == nil {
		t.Error("TLS and plaintext are taken")
	}
	gateway, _ := world(t)
	conn, err := gateway.NewConn()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for name, option := range map[string]giftcard.Option{
		"plaintext": giftcard.WithPlaintext(),
		"TLS":       giftcard.WithTLS(&tls.Config{}),
		"options":   giftcard.WithDialOptions(grpc.WithUserAgent("me")),
	} {
		if _, err := giftcard.NewClientOn(conn, option); err == nil {
			t.Error(name, "is taken")
		}
	}
	client, err := giftcard.NewClientOn(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Redeem(t.Context(), ask); err != nil {
		t.Error(err)
	}
}

// secured serves nothing over TLS; it remembers the metadata of the last call.
func secured(t *testing.T) (target string, trusted *tls.Config, sent *metadata.MD) {
	t.Helper()
	lender := httptest.NewTLSServer(nil)
	t.Cleanup(lender.Close)
	pool := x509.NewCertPool()
	pool.AddCert(lender.Certificate())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sent = &metadata.MD{}
	server := grpc.NewServer(
		grpc.Creds(credentials.NewServerTLSFromCert(&lender.TLS.Certificates[0])),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			*sent, _ = metadata.FromIncomingContext(stream.Context())
			return status.Error(codes.Unimplemented, "nothing")
		}))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String(), &tls.Config{RootCAs: pool}, sent
}

// A call for which no connection could be made did nothing; one whose connection broke may have.
func TestWhatWasNeverSentLeavesNothingOpen(t *testing.T) {
	untrusted, _, _ := secured(t)
	repeats := giftcard.WithDialOptions(grpc.WithDefaultServiceConfig(`{"methodConfig": [{"name": [{}], "retryPolicy": {
		"maxAttempts": 2, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1,
		"retryableStatusCodes": ["UNAVAILABLE"]}}]}`))
	for name, one := range map[string]struct {
		target   string
		options  []giftcard.Option
		isUnsent bool
	}{
		"an authority nobody trusts": {untrusted, nil, true},
		"nobody listens":             {"127.0.0.1:1", []giftcard.Option{giftcard.WithPlaintext()}, true},
		"cut when it was heard":      {cutting(t), []giftcard.Option{giftcard.WithPlaintext()}, false},
		"repeated by gRPC to nobody": {cutting(t), []giftcard.Option{giftcard.WithPlaintext(), repeats}, false},
	} {
		t.Run(name, func(t *testing.T) {
			once := giftcard.WithRepeats(giftcard.RepeatPolicy{Attempts: 1})
			client, err := giftcard.NewClient(one.target, append(one.options, once)...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			_, err = client.ReverseRedeem(context.Background(), &giftcardv1.ReverseRedeemRequest{TransactionId: id})
			failure, ok := err.(*giftcard.CallError)
			if !ok || failure.Kind != giftcard.Unavailable || failure.IsOutcomeOpen == one.isUnsent {
				t.Error(err)
			}
		})
	}
}

// cutting is a gateway that goes away with the first call it hears.
func cutting(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var server *grpc.Server
	server = grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		go server.Stop()
		<-stream.Context().Done()
		return nil
	}))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// TLS is the default; an authority of one's own is trusted where it is given, and a token goes with every call.
func TestTLSProtectsByDefault(t *testing.T) {
	target, trusted, sent := secured(t)
	for name, one := range map[string]struct {
		options []giftcard.Option
		kind    giftcard.Kind
	}{
		"an authority nobody trusts": {nil, giftcard.Unavailable},
		"an authority of one's own":  {[]giftcard.Option{giftcard.WithTLS(trusted)}, giftcard.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			once := giftcard.WithRepeats(giftcard.RepeatPolicy{Attempts: 1})
			client, err := giftcard.NewClient(target, append(one.options, once, giftcard.WithToken(giftcard.Token("secret")))...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			_, err = client.ReverseRedeem(context.Background(), &giftcardv1.ReverseRedeemRequest{TransactionId: id})
			if failure, ok := err.(*giftcard.CallError); !ok || failure.Kind != one.kind {
				t.Error(err)
			}
		})
	}
	if got := sent.Get("authorization"); len(got) != 1 || got[0] != "Bearer secret" {
		t.Error(got)
	}
	if got := sent.Get("user-agent"); len(got) != 1 || got[0] != "giftcard-go/0.1.0 grpc-go/"+grpc.Version {
		t.Error(got)
	}
}

// Reads are repeated by gRPC as the contract's service config says.
func TestReadsAreRepeatedByTheServiceConfig(t *testing.T) {
	gateway, client := world(t)
	gateway.Fail("Balance", codes.Unavailable, "PROVIDER_UNREACHABLE")
	if _, err := client.Balance(t.Context(), &giftcardv1.BalanceRequest{}); err != nil {
		t.Error(err)
	}
	if calls := gateway.Calls(); len(calls) != 2 {
		t.Error(calls)
	}
}
