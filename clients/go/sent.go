package giftcard

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

// trip is what gRPC tells of the attempts at one call: its own repeats too, of which the error tells the last alone.
type trip struct{ isBegun, isSent atomic.Bool }

type tripKey struct{}

// isUnsent tells that no attempt came onto a connection, so that nobody can have done anything. Of a connection
// without DialOptions nobody tells.
func (t *trip) isUnsent() bool { return t.isBegun.Load() && !t.isSent.Load() }

// trips notes what becomes of calls that have a trip in their context.
type trips struct{}

func (trips) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (trips) HandleRPC(ctx context.Context, event stats.RPCStats) {
	made, ok := ctx.Value(tripKey{}).(*trip)
	if !ok {
		return
	}
	switch event.(type) {
	case *stats.Begin:
		made.isBegun.Store(true)
	case *stats.OutHeader:
		made.isSent.Store(true)
	}
}

func (trips) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (trips) HandleConn(context.Context, stats.ConnStats) {}
