// Load calls one unary gRPC method as often as it is answered, with a request prepared beforehand.
//
// Python callers would cost more than the servers they measure. Each call gets an id of its own, written over
// the zeros that stand in the prepared request, and each answer is looked at. What came of it all is one line
// of JSON on standard output.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type settings struct {
	address, method, request, key, told, ids string
	callers, connections                     int
	calls, state                             int64
	lasting, deadline, pause                 time.Duration
	isOurs                                   bool
}

func read() settings {
	var s settings
	flag.StringVar(&s.address, "address", "", "host and port to call")
	flag.StringVar(&s.method, "method", "/giftcard.v1.GiftCardService/Redeem", "full name of the method")
	flag.StringVar(&s.request, "request", "", "file with the prepared request")
	flag.StringVar(&s.key, "key", "", "API key to show")
	flag.StringVar(&s.ids, "ids", "", "file with the ids to use, a line each, instead of new ones")
	flag.StringVar(&s.told, "told", "", "file for the ids whose answer was good, appended a line each")
	flag.IntVar(&s.callers, "callers", 1, "calls at once")
	flag.IntVar(&s.connections, "connections", 4, "connections they share")
	flag.Int64Var(&s.calls, "calls", 0, "calls in all; 0 goes by -lasting")
	flag.DurationVar(&s.lasting, "lasting", 2*time.Second, "how long to go on")
	flag.DurationVar(&s.deadline, "deadline", time.Minute, "how long a call may take")
	flag.DurationVar(&s.pause, "pause", 0, "what a caller waits after a refusal")
	flag.Int64Var(&s.state, "state", 0, "the state each answer's transaction must have; 0 for answers without one")
	flag.BoolVar(&s.isOurs, "ours", true, "whether each answer's transaction must have the id that was sent")
	flag.Parse()
	return s
}

func main() {
	encoding.RegisterCodecV2(bytesAsTheyAre{})
	if err := run(read()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(s settings) error {
	prepared, err := os.ReadFile(s.request)
	if err != nil {
		return err
	}
	given, err := givenIDs(s.ids)
	if err != nil {
		return err
	}
	if given != nil {
		s.calls = int64(len(given))
	}
	connections := make([]*grpc.ClientConn, min(s.connections, s.callers))
	for i := range connections {
		// Equal settings would share one connection; the user agent tells them apart.
		connections[i], err = grpc.NewClient(s.address, grpc.WithUserAgent(fmt.Sprint("load-", i)),
			grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableServiceConfig())
		if err != nil {
			return err
		}
		defer connections[i].Close()
	}
	var taken atomic.Int64
	began := time.Now()
	until := began.Add(s.lasting)
	next := func() (id string, more bool) {
		n := taken.Add(1)
		if s.calls > 0 && n > s.calls || s.calls == 0 && time.Now().After(until) {
			return "", false
		}
		if given != nil {
			return given[n-1], true
		}
		return newID(), true
	}
	seen := make([]*observed, s.callers)
	var callers sync.WaitGroup
	for i := range seen {
		seen[i] = newObserved()
		callers.Go(func() {
			call(s, connections[i%len(connections)], newRequest(prepared), next, seen[i])
		})
	}
	callers.Wait()
	all := merged(seen)
	if err := all.writeIDs(s.told); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(all.summary(time.Since(began)))
}

// call is one caller: it waits for an answer before it asks again.
func call(s settings, connection *grpc.ClientConn, request *request, next func() (string, bool), seen *observed) {
	whole := context.Background()
	if s.key != "" {
		whole = metadata.AppendToOutgoingContext(whole, "authorization", "Bearer "+s.key)
	}
	for id, more := next(); more; id, more = next() {
		sent := request.with(id)
		var answer []byte
		ctx, cancel := context.WithTimeout(whole, s.deadline)
		began := time.Now()
		err := connection.Invoke(ctx, s.method, &sent, &answer)
		took := time.Since(began)
		cancel()
		if err != nil {
			seen.add(status.Code(err).String(), took, status.Convert(err).Message())
			time.Sleep(s.pause)
			continue
		}
		kind := judged(answer, id, s)
		seen.add(kind, took, "")
		if kind == good {
			seen.ids = append(seen.ids, id)
		}
	}
}

func givenIDs(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	return strings.Fields(string(text)), err
}
