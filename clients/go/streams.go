package giftcard

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

// Pages yields every page of a list, the last of them too if it is empty. An error is the last thing it yields.
//
//	for page, err := range giftcard.Pages(ctx, client.ListTransactions, &giftcardv1.ListTransactionsRequest{}) {
func Pages[Request proto.Message, Page interface{ GetNextPageToken() string }](
	ctx context.Context,
	list func(context.Context, Request, ...grpc.CallOption) (Page, error),
	request Request,
) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		next := proto.CloneOf(request)
		for {
			page, err := list(ctx, next)
			if !yield(page, err) || err != nil || page.GetNextPageToken() == "" {
				return
			}
			setField(next, "page_token", protoreflect.ValueOfString(page.GetNextPageToken()))
		}
	}
}

// Watch yields what happens to transactions, and goes on by itself after a break, where the last message says:
// nothing is left out, and the last message may come twice. It goes on until you break off, ctx ends, or the gateway
// refuses; an error is the last thing it yields. An outage is waited out, however long it takes; a fault of
// the gateway is tried as often as RepeatPolicy says.
func (c *Client) Watch(
	ctx context.Context, request *giftcardv1.WatchTransactionsRequest,
) iter.Seq2[*giftcardv1.WatchTransactionsResponse, error] {
	return follow(ctx, c.conn.policy, c.WatchTransactions, request)
}

// Events yields what providers report, and goes on by itself after a break, as Watch does.
func (c *Client) Events(
	ctx context.Context, request *giftcardv1.StreamEventsRequest,
) iter.Seq2[*giftcardv1.StreamEventsResponse, error] {
	return follow(ctx, c.conn.policy, c.StreamEvents, request)
}

// message is one of a stream that can go on where it says.
type message[Told any] interface {
	*Told
	GetCursor() string
}

// opener begins a stream.
type opener[Request, Told any] func(context.Context, Request, ...grpc.CallOption) (grpc.ServerStreamingClient[Told], error)

func follow[Request proto.Message, Told any, Each message[Told]](
	ctx context.Context, policy RepeatPolicy, open opener[Request, Told], request Request,
) iter.Seq2[*Told, error] {
	return func(yield func(*Told, error) bool) {
		began, next := time.Now(), proto.CloneOf(request)
		for breaks := 0; ; breaks++ {
			err := pour(ctx, open, next, func(told *Told) bool {
				breaks = 0
				setField(next, "cursor", protoreflect.ValueOfString(Each(told).GetCursor()))
				return yield(told, nil)
			})
			if errors.Is(err, errBrokenOff) {
				return
			}
			failure := &CallError{}
			isBreak := errors.Is(err, io.EOF) || errors.As(err, &failure) && goesOn(failure, breaks, policy)
			if isBreak && ctx.Err() == nil {
				startAt(next, began)
				if wait(ctx, policy.pauseAfter(breaks, failure)) == nil {
					continue
				}
			}
			if errors.Is(err, io.EOF) {
				err = context.Cause(ctx)
			}
			yield(nil, err)
			return
		}
	}
}

// errBrokenOff is why a stream ends that nobody reads any more.
var errBrokenOff = errors.New("broken off")

// pour begins a stream, hands on what it tells, and returns why it ended.
func pour[Request, Told any](
	ctx context.Context, open opener[Request, Told], request Request, hear func(*Told) bool,
) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	stream, err := open(ctx, request)
	if err != nil {
		return err
	}
	for {
		told, err := stream.Recv()
		if err != nil {
			return err
		}
		if !hear(told) {
			return errBrokenOff
		}
	}
}

// goesOn tells whether a stream is begun again after an error.
func goesOn(failure *CallError, breaks int, policy RepeatPolicy) bool {
	isAway := failure.Kind == Unavailable || failure.Kind == Throttled
	return isAway || failure.Kind == NoAnswer && breaks+1 < policy.Attempts
}

// startAt lets a request that says no start begin at a time.
func startAt(request proto.Message, began time.Time) {
	reflected := request.ProtoReflect()
	if reflected.WhichOneof(reflected.Descriptor().Oneofs().ByName("start")) == nil {
		setField(request, "start_time", protoreflect.ValueOfMessage(timestamppb.New(began).ProtoReflect()))
	}
}
