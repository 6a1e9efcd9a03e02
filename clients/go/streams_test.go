package giftcard_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	giftcard "giftcardgateway.example/giftcard-go"
	"giftcardgateway.example/giftcard-go/giftcardtest"
	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

type streamCase struct {
	Name, Call, Start string
	Attempts          int
	Streams           []struct {
		Tells []string
		Ends  string
	}
	Asked, Given []string
	Raises       *string
}

// Streams go on after a break as the vectors say, from the last cursor.
func TestStreamVectors(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "vectors", "streams.json"))
	if _, outside := os.Stat(filepath.Join("..", "..", "protos")); os.IsNotExist(outside) {
		t.Skip("the vectors are in the repository")
	}
	var vectors struct{ Cases []streamCase }
	if err := errors.Join(err, json.Unmarshal(text, &vectors)); err != nil || len(vectors.Cases) == 0 {
		t.Fatal("no case", err)
	}
	for _, one := range vectors.Cases {
		t.Run(one.Name, func(t *testing.T) { playStream(t, one) })
	}
}

func playStream(t *testing.T, one streamCase) {
	gateway, client := streaming(t, one.Attempts)
	for _, stream := range one.Streams {
		var messages []proto.Message
		for _, cursor := range stream.Tells {
			if one.Call == "StreamEvents" {
				messages = append(messages, &giftcardv1.StreamEventsResponse{Cursor: cursor})
			} else {
				messages = append(messages, &giftcardv1.WatchTransactionsResponse{Cursor: cursor})
			}
		}
		gateway.Stream(one.Call, ending(stream.Ends), messages...)
	}
	given, err := heard(t, client, one)
	if !slices.Equal(given, one.Given) {
		t.Errorf("given %v, not %v", given, one.Given)
	}
	if raised := status.Code(err); one.Raises == nil && err != nil || one.Raises != nil && raised != codeOf(*one.Raises) {
		t.Errorf("raised %v", err)
	}
	if err != nil && !errors.As(err, new(*giftcard.CallError)) {
		t.Errorf("%T is no error of ours", err)
	}
	if asked := askedOf(gateway.Seen()); !slices.Equal(asked, one.Asked) {
		t.Errorf("asked %v, not %v", asked, one.Asked)
	}
}

// heard follows a stream to the last message that it is to give, or to its error.
func heard(t *testing.T, client *giftcard.Client, one streamCase) (given []string, failure error) {
	t.Helper()
	hear := func(cursor string, err error) bool {
		if err != nil {
			failure = err
			return false
		}
		given = append(given, cursor)
		return one.Raises != nil || len(given) < len(one.Given)
	}
	if one.Call == "StreamEvents" {
		request := &giftcardv1.StreamEventsRequest{}
		if one.Start != "" {
			request.Start = &giftcardv1.StreamEventsRequest_Cursor{Cursor: one.Start}
		}
		client.Events(t.Context(), request)(func(told *giftcardv1.StreamEventsResponse, err error) bool {
			return hear(told.GetCursor(), err)
		})
		return given, failure
	}
	request := &giftcardv1.WatchTransactionsRequest{}
	if one.Start != "" {
		request.Start = &giftcardv1.WatchTransactionsRequest_Cursor{Cursor: one.Start}
	}
	client.Watch(t.Context(), request)(func(told *giftcardv1.WatchTransactionsResponse, err error) bool {
		return hear(told.GetCursor(), err)
	})
	return given, failure
}

func askedOf(seen []proto.Message) []string {
	var asked []string
	for _, request := range seen {
		start := request.(interface {
			GetCursor() string
			GetStartTime() *timestamppb.Timestamp
		})
		if start.GetStartTime() != nil {
			asked = append(asked, "TIME")
		} else {
			asked = append(asked, start.GetCursor())
		}
	}
	return asked
}

func ending(name string) error {
	switch name {
	case "OK":
		return nil
	case "OPEN":
		return giftcardtest.ErrStaysOpen
	default:
		return status.Error(codeOf(name), "ends")
	}
}

func codeOf(name string) codes.Code { return codes.Code(code.Code_value[name]) }

// streaming makes a gateway, and a client without gRPC's own retries, which begin a stream again that broke early.
func streaming(t *testing.T, attempts int) (*giftcardtest.Gateway, *giftcard.Client) {
	t.Helper()
	gateway := giftcardtest.NewGateway()
	t.Cleanup(gateway.Close)
	client, err := gateway.NewClient(
		giftcard.WithDialOptions(grpc.WithDisableRetry()),
		giftcard.WithRepeats(giftcard.RepeatPolicy{Attempts: attempts, FirstPause: time.Millisecond, LongestPause: time.Millisecond}),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return gateway, client
}

// A stream whose context ends, while it is open or while an outage is waited out, yields an error and ends.
func TestAStreamEndsWithItsContext(t *testing.T) {
	for name, end := range map[string]error{"open": giftcardtest.ErrStaysOpen, "away": status.Error(codes.Unavailable, "away")} {
		t.Run(name, func(t *testing.T) {
			gateway, client := streaming(t, 8)
			for range 2 {
				gateway.Stream("WatchTransactions", end, &giftcardv1.WatchTransactionsResponse{Cursor: "a"})
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var failures []error
			for _, err := range client.Watch(ctx, &giftcardv1.WatchTransactionsRequest{}) {
				cancel()
				if err != nil {
					failures = append(failures, err)
				}
			}
			if len(failures) != 1 || !errors.As(failures[0], new(*giftcard.CallError)) {
				t.Error(failures)
			}
		})
	}
}

// Every page of a list comes, an empty one too, with the fields of the first request; an error ends it.
func TestPagesAreReadToTheLast(t *testing.T) {
	gateway, client := streaming(t, 1)
	for _, next := range []string{"two", "three", ""} {
		gateway.Answer("ListTransactions", &giftcardv1.ListTransactionsResponse{NextPageToken: next})
	}
	request := &giftcardv1.ListTransactionsRequest{PageSize: 7}
	pages := 0
	for _, err := range giftcard.Pages(t.Context(), client.ListTransactions, request) {
		if err != nil {
			t.Fatal(err)
		}
		pages++
	}
	var asked []string
	for _, seen := range gateway.Seen() {
		page := seen.(*giftcardv1.ListTransactionsRequest)
		asked = append(asked, page.GetPageToken())
		if page.GetPageSize() != 7 {
			t.Error(page)
		}
	}
	if pages != 3 || !slices.Equal(asked, []string{"", "two", "three"}) || request.GetPageToken() != "" {
		t.Error(pages, asked)
	}
	gateway.Fail("ListTransactions", codes.InvalidArgument, "FIELD_INVALID")
	var failures []error
	for _, err := range giftcard.Pages(t.Context(), client.ListTransactions, request) {
		failures = append(failures, err)
	}
	if len(failures) != 1 || !errors.As(failures[0], new(*giftcard.CallError)) {
		t.Error(failures)
	}
}
