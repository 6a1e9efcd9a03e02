package giftcard

import (
	"context"
	"errors"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

const transactionID = "0f0d7a6e-4b1c-4d52-9c1e-6a1f4b0f7c11"

var (
	redeem       = &giftcardv1.RedeemRequest{TransactionId: transactionID}
	confirm      = &giftcardv1.ConfirmRedeemRequest{TransactionId: transactionID}
	reverse      = &giftcardv1.ReverseRedeemRequest{TransactionId: transactionID}
	approved     = &giftcardv1.Transaction{TransactionId: transactionID, State: giftcardv1.TransactionState_TRANSACTION_STATE_APPROVED}
	issued       = &giftcardv1.Transaction{TransactionId: transactionID, IssuedCards: []*giftcardv1.IssuedCard{{Number: "n"}}}
	issuedMasked = &giftcardv1.Transaction{TransactionId: transactionID, IssuedCards: []*giftcardv1.IssuedCard{{MaskedCard: "****"}}}
)

// attempt is one call as a script's connection saw it.
type attempt struct {
	call    string
	request proto.Message
	at      time.Duration
	left    time.Duration
	sent    metadata.MD
}

// script is a connection that answers by a list: an error, a transaction, or "silence" until the deadline.
type script struct {
	begun    time.Time
	answers  []any
	attempts []attempt
}

type silence struct{}

func (s *script) Invoke(ctx context.Context, method string, request, answer any, _ ...grpc.CallOption) error {
	sent, _ := metadata.FromOutgoingContext(ctx)
	made := attempt{call: path.Base(method), request: proto.Clone(request.(proto.Message)), at: time.Since(s.begun), sent: sent}
	if end, ok := ctx.Deadline(); ok {
		made.left = time.Until(end)
	}
	s.attempts = append(s.attempts, made)
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	next := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	switch next := next.(type) {
	case error:
		return next
	case silence:
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	case *giftcardv1.Transaction:
		response := answer.(proto.Message).ProtoReflect()
		field := response.Descriptor().Fields().ByName("transaction")
		response.Set(field, response.NewField(field))
		proto.Merge(response.Mutable(field).Message().Interface(), next)
	}
	return nil
}

func (s *script) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, s.answers[0].(error)
}

func (s *script) calls() string {
	var calls []string
	for _, each := range s.attempts {
		calls = append(calls, each.call)
	}
	return strings.Join(calls, " ")
}

// during plays a script with a clock of its own, so that no pause takes time.
func during(t *testing.T, answers []any, run func(*testing.T, *Client, *script), options ...Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		script := &script{begun: time.Now(), answers: answers}
		client, err := NewClientOn(script, options...)
		if err != nil {
			t.Fatal(err)
		}
		run(t, client, script)
	})
}

func refused(code codes.Code, reason string, retryAfter time.Duration) error {
	told := status.New(code, "told by the gateway")
	if reason != "" {
		told, _ = told.WithDetails(&errdetails.ErrorInfo{Domain: Domain, Reason: reason})
	}
	if retryAfter > 0 {
		told, _ = told.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
	}
	return told.Err()
}

var (
	cut       = refused(codes.Unavailable, "", 0)
	full      = refused(codes.Unavailable, "OVERLOADED", 0)
	timeout   = refused(codes.DeadlineExceeded, "", 0)
	errSeldom = errors.New("seldom")
	unknown   = refused(codes.NotFound, "TRANSACTION_NOT_FOUND", 0)
)

func expectCalls(t *testing.T, script *script, calls string) {
	t.Helper()
	if script.calls() != calls {
		t.Errorf("called %s, not %s", script.calls(), calls)
	}
}

func callError(t *testing.T, err error) *CallError {
	t.Helper()
	var failure *CallError
	if !errors.As(err, &failure) {
		t.Fatalf("%v is no CallError", err)
	}
	return failure
}
