package giftcard

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

const (
	// findingShare is the part of an ask's time, one over it, that is kept for finding out how a lost one ended.
	findingShare = 4
	// answering is what the answer to a look-up itself may take; the rest of its time the gateway may wait.
	answering = time.Second
	// longestWait is how long the gateway waits at most, by the contract.
	longestWait = 60 * time.Second
)

// conn is the connection under the stubs. What a call needs it knows from the request, so every call of the
// contract has the same rules, and none has code of its own.
type conn struct {
	under    grpc.ClientConnInterface
	sources  []MetadataSource
	policy   RepeatPolicy
	isClosed atomic.Bool
}

// unary is one unary call, ready to be made.
type unary struct {
	about   About
	method  string
	request any
	answer  any
	options []grpc.CallOption
}

// Invoke makes a unary call as its phase demands; every error is one of this package.
func (c *conn) Invoke(ctx context.Context, method string, request, answer any, options ...grpc.CallOption) error {
	message, ok := request.(proto.Message)
	if !ok {
		return fmt.Errorf("giftcard: %s cannot take a %T", method, request)
	}
	call := unary{aboutOf(message), method, request, answer, options}
	if call.about.Phase == Reading {
		return asError(c.send(ctx, call))
	}
	end := c.policy.end(ctx)
	if call.about.Phase == Asked {
		return asError(c.ask(ctx, call, end))
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	failure := c.repeated(ctx, call)
	if failure != nil && call.about.Phase == Confirming {
		return &ConfirmationFailed{Failure: failure}
	}
	return asError(failure)
}

// NewStream opens a stream; its errors are of this package, and it is never repeated.
func (c *conn) NewStream(
	ctx context.Context, description *grpc.StreamDesc, method string, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	about := aboutMethod(method)
	ctx, failure := c.prepare(ctx, about)
	if failure != nil {
		return nil, failure
	}
	under, err := c.under.NewStream(ctx, description, method, options...)
	if err != nil {
		return nil, read(err, about)
	}
	return &stream{ClientStream: under, about: about}, nil
}

// ask makes the first call of an operation; when no answer tells the outcome, it reads it from the gateway.
func (c *conn) ask(ctx context.Context, call unary, end time.Time) *CallError {
	asking, cancel := context.WithDeadline(ctx, end.Add(-time.Until(end)/findingShare))
	defer cancel()
	lost := c.repeated(asking, call)
	if lost == nil || decide(lost, true) != lookUp {
		return lost
	}
	finding, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	found := c.find(finding, call.about.TransactionID, end)
	if found == nil {
		return lost
	}
	if len(found.GetIssuedCards()) > 0 {
		// What was issued is masked when it is looked up; only the same request again shows it.
		failure := c.repeated(finding, call)
		if failure != nil {
			// It was issued, whatever is said to the second request.
			failure.IsOutcomeOpen = true
		}
		return failure
	}
	setField(call.answer.(proto.Message), "transaction", protoreflect.ValueOfMessage(found.ProtoReflect()))
	return nil
}

// find reads how a lost call ended; it returns nil if the gateway does not know or does not answer.
func (c *conn) find(ctx context.Context, transactionID string, end time.Time) *giftcardv1.Transaction {
	request := &giftcardv1.GetTransactionRequest{TransactionId: transactionID}
	if pause := min(longestWait, time.Until(end)-answering).Truncate(time.Millisecond); pause > 0 {
		request.Wait = durationpb.New(pause)
	}
	answer := &giftcardv1.GetTransactionResponse{}
	method := giftcardv1.TransactionService_GetTransaction_FullMethodName
	if c.send(ctx, unary{about: aboutOf(request), method: method, request: request, answer: answer}) != nil {
		return nil
	}
	return answer.GetTransaction()
}

// repeated makes a call again and again with the same request, until it answers, is refused, or time is up.
func (c *conn) repeated(ctx context.Context, call unary) *CallError {
	isOutcomeOpen := false
	for attempt := 0; ; attempt++ {
		failure := c.send(ctx, call)
		if failure == nil {
			return nil
		}
		// What an earlier attempt left open stays open, however surely the last one was not sent.
		isOutcomeOpen = isOutcomeOpen || failure.IsOutcomeOpen
		failure.IsOutcomeOpen = isOutcomeOpen
		pause := c.policy.pauseAfter(attempt, failure)
		end, _ := ctx.Deadline()
		isLast := attempt+1 >= c.policy.Attempts || time.Until(end) <= pause
		if decide(failure, isLast) != repeat {
			return failure
		}
		if err := wait(ctx, pause); err != nil {
			failure.cause = err
			return failure
		}
	}
}

// send makes one attempt.
func (c *conn) send(ctx context.Context, call unary) *CallError {
	ctx, failure := c.prepare(ctx, call.about)
	if failure != nil {
		return failure
	}
	made := &trip{}
	ctx = context.WithValue(ctx, tripKey{}, made)
	err := c.under.Invoke(ctx, call.method, call.request, call.answer, call.options...)
	if err == nil {
		return nil
	}
	failure = readFailure(err, call.about)
	if failure.Kind == Unavailable && made.isUnsent() {
		failure.IsOutcomeOpen = false
	}
	return failure
}

// prepare asks what gives the token and metadata, before every attempt.
func (c *conn) prepare(ctx context.Context, about About) (context.Context, *CallError) {
	if c.isClosed.Load() {
		return ctx, &CallError{About: about, Kind: Closed, Code: codes.Canceled, Message: "the client is closed"}
	}
	for _, source := range c.sources {
		given, err := source(ctx)
		if err != nil {
			return ctx, &CallError{
				About: about,
				Kind:  CallNotSent,
				Code:  codes.Unavailable,
				// Its type only: its text may hold what nobody is to read.
				Message: fmt.Sprintf("what gives the token or metadata failed: %T", err),
				cause:   err,
			}
		}
		sent, _ := metadata.FromOutgoingContext(ctx)
		ctx = metadata.NewOutgoingContext(ctx, metadata.Join(sent, given))
	}
	return ctx, nil
}

// stream reads the errors of a stream.
type stream struct {
	grpc.ClientStream
	about About
}

func (s *stream) SendMsg(message any) error { return read(s.ClientStream.SendMsg(message), s.about) }

func (s *stream) RecvMsg(message any) error { return read(s.ClientStream.RecvMsg(message), s.about) }

func (s *stream) CloseSend() error { return read(s.ClientStream.CloseSend(), s.about) }

func (s *stream) Header() (metadata.MD, error) {
	header, err := s.ClientStream.Header()
	return header, read(err, s.about)
}

// asError keeps a nil from becoming an error that is not nil.
func asError(failure *CallError) error {
	if failure == nil {
		return nil
	}
	return failure
}
