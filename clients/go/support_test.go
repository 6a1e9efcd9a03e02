package giftcard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// refuser is a server that refuses every call in one way, with bytes as details that need not be any.
type refuser struct {
	conn *grpc.ClientConn

	mutex   sync.Mutex
	refusal error
	details []byte
}

func newRefuser(t *testing.T) *refuser {
	t.Helper()
	refuser := &refuser{}
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		refuser.mutex.Lock()
		defer refuser.mutex.Unlock()
		if len(refuser.details) > 0 {
			stream.SetTrailer(metadata.Pairs("grpc-status-details-bin", string(refuser.details)))
		}
		return refuser.refusal
	}))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///memory",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	refuser.conn = conn
	return refuser
}

func (r *refuser) refuse(code codes.Code, message string, details []byte) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.refusal, r.details = status.Error(code, message), details
}

func (r *refuser) call(request proto.Message) error {
	return r.conn.Invoke(context.Background(), "/any/Call", request, &emptypb.Empty{})
}

// printings returns a message as all usual ways of printing and logging show it.
func printings(t *testing.T, message proto.Message) string {
	t.Helper()
	var shown strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&shown, verb+"\n", message)
	}
	fmt.Fprintln(&shown, []proto.Message{message}, message.(fmt.Stringer).String())
	var logged bytes.Buffer
	// The digits of a time may look like a PIN.
	timeless := &slog.HandlerOptions{ReplaceAttr: func(_ []string, each slog.Attr) slog.Attr {
		if each.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return each
	}}
	slog.New(slog.NewJSONHandler(&logged, timeless)).Info("json", "message", message)
	slog.New(slog.NewTextHandler(&logged, timeless)).Info("text", "message", message)
	shown.Write(logged.Bytes())
	text, err := json.Marshal(message)
	fmt.Fprintln(&shown, string(text), err)
	return shown.String()
}
