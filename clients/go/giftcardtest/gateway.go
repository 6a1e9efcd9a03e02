// Package giftcardtest is for the tests of those who use giftcard: a gateway in memory.
//
// It knows the life of a transaction and no cards: it approves what it is asked, unless it is told otherwise.
// It is no model of the real gateway, only of what a caller meets: replays, declines, failures and lost
// answers. Its streams tell what they are told to. To try the real one, run the sandbox.
package giftcardtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	giftcard "giftcardgateway.example/giftcard-go"
	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

// Gateway is a gateway in memory. What it is told with Decline, Fail, Lose and Answer holds once, for the
// next call of that name. It may be used by many goroutines at once.
type Gateway struct {
	server   *grpc.Server
	listener *bufconn.Listener

	mutex        sync.Mutex
	seen         []proto.Message
	transactions map[string]*giftcardv1.Transaction
	declines     []giftcardv1.DeclineReason
	faults       map[string][]error
	lost         map[string]int
	answers      map[string][]proto.Message
	streams      map[string][]told
}

// told is what one stream tells, and how it ends.
type told struct {
	messages []proto.Message
	end      error
}

// ErrStaysOpen is the end of a stream that does not end.
var ErrStaysOpen = errors.New("the stream stays open")

// NewGateway starts a gateway; Close it.
func NewGateway() *Gateway {
	gateway := &Gateway{
		listener:     bufconn.Listen(1 << 16),
		transactions: map[string]*giftcardv1.Transaction{},
		faults:       map[string][]error{},
		lost:         map[string]int{},
		answers:      map[string][]proto.Message{},
		streams:      map[string][]told{},
	}
	gateway.server = grpc.NewServer(grpc.UnknownServiceHandler(gateway.serve))
	go func() {
		// It ends with the listener, by Close.
		_ = gateway.server.Serve(gateway.listener)
	}()
	return gateway
}

// Close ends the gateway and its connections.
func (g *Gateway) Close() { g.server.Stop() }

// NewClient makes a client of this gateway; Close it.
func (g *Gateway) NewClient(options ...giftcard.Option) (*giftcard.Client, error) {
	return giftcard.NewClient("passthrough:///localhost:0", append([]giftcard.Option{
		giftcard.WithPlaintext(),
		giftcard.WithDialOptions(g.dialer()),
	}, options...)...)
}

// NewConn makes a connection to this gateway, for stubs of your own; Close it.
func (g *Gateway) NewConn(options ...grpc.DialOption) (*grpc.ClientConn, error) {
	usual := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), g.dialer()}
	return grpc.NewClient("passthrough:///localhost:0", append(usual, options...)...)
}

func (g *Gateway) dialer() grpc.DialOption {
	return grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return g.listener.DialContext(ctx)
	})
}

// Decline declines the next money operation.
func (g *Gateway) Decline(reason giftcardv1.DeclineReason) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.declines = append(g.declines, reason)
}

// Fail refuses the next call of a name, such as Redeem, with a code and a reason: a name of ErrorReason
// without its prefix, or empty for a refusal that is not the gateway's.
func (g *Gateway) Fail(call string, code codes.Code, reason string) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.faults[call] = append(g.faults[call], refusal(code, reason))
}

// Lose does what the next call of a name asks, and loses the answer: its caller sees DEADLINE_EXCEEDED.
func (g *Gateway) Lose(call string) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.lost[call]++
}

// Answer answers the next call of a name with a response of its own kind.
func (g *Gateway) Answer(call string, response proto.Message) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.answers[call] = append(g.answers[call], proto.Clone(response))
}

// Stream lets the next stream of a name, such as WatchTransactions, tell messages and then end: with nil, with an
// error of gRPC's status package, or not at all, with ErrStaysOpen.
func (g *Gateway) Stream(call string, end error, messages ...proto.Message) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.streams[call] = append(g.streams[call], told{messages, end})
}

// Seen returns the requests that came, oldest first.
func (g *Gateway) Seen() []proto.Message {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return append([]proto.Message(nil), g.seen...)
}

// Calls returns the names of the calls that came, oldest first.
func (g *Gateway) Calls() []string {
	var calls []string
	for _, request := range g.Seen() {
		calls = append(calls, strings.TrimSuffix(string(request.ProtoReflect().Descriptor().Name()), "Request"))
	}
	return calls
}

// Transaction returns a transaction as it stands, or nil.
func (g *Gateway) Transaction(transactionID string) *giftcardv1.Transaction {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return proto.CloneOf(g.transactions[transactionID])
}

// serve answers any call by the contract.
func (g *Gateway) serve(_ any, stream grpc.ServerStream) error {
	fullMethod, _ := grpc.MethodFromServerStream(stream)
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(fullMethod, "/"), "/", "."))
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	method, isMethod := found.(protoreflect.MethodDescriptor)
	if err != nil || !isMethod || method.IsStreamingClient() {
		return status.Errorf(codes.Unimplemented, "the gateway in memory has no %s", fullMethod)
	}
	request, err := newMessage(method.Input())
	if err != nil {
		return err
	}
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	if method.IsStreamingServer() {
		return g.pour(string(method.Name()), request, stream)
	}
	g.mutex.Lock()
	response, err := g.handle(method, request, stream)
	g.mutex.Unlock()
	if err != nil {
		return err
	}
	return stream.SendMsg(response)
}

// pour tells what the next stream of a name is to tell.
func (g *Gateway) pour(call string, request proto.Message, stream grpc.ServerStream) error {
	next, err := g.nextStream(call, request)
	if err != nil {
		return err
	}
	for _, message := range next.messages {
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
	if errors.Is(next.end, ErrStaysOpen) {
		<-stream.Context().Done()
		return status.FromContextError(stream.Context().Err()).Err()
	}
	return next.end
}

func (g *Gateway) nextStream(call string, request proto.Message) (told, error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.seen = append(g.seen, request)
	if faults := g.faults[call]; len(faults) > 0 {
		g.faults[call] = faults[1:]
		return told{}, faults[0]
	}
	streams := g.streams[call]
	if len(streams) == 0 {
		return told{}, status.Errorf(codes.Unimplemented, "nobody said what %s tells: use Stream", call)
	}
	g.streams[call] = streams[1:]
	return streams[0], nil
}

// handle does what a call asks, then answers or loses the answer.
func (g *Gateway) handle(
	method protoreflect.MethodDescriptor, request proto.Message, stream grpc.ServerStream,
) (proto.Message, error) {
	call := string(method.Name())
	g.seen = append(g.seen, request)
	if faults := g.faults[call]; len(faults) > 0 {
		g.faults[call] = faults[1:]
		return nil, faults[0]
	}
	response, err := g.respond(method, request, stream)
	if err == nil && g.lost[call] > 0 {
		g.lost[call]--
		return nil, status.Error(codes.DeadlineExceeded, "lost")
	}
	return response, err
}

// respond makes the response to a call.
func (g *Gateway) respond(
	method protoreflect.MethodDescriptor, request proto.Message, stream grpc.ServerStream,
) (proto.Message, error) {
	call := string(method.Name())
	if answers := g.answers[call]; len(answers) > 0 {
		g.answers[call] = answers[1:]
		return answers[0], nil
	}
	response, err := newMessage(method.Output())
	if err != nil {
		return nil, err
	}
	named, isNamed := request.(interface{ GetTransactionId() string })
	if !isNamed {
		return response, nil
	}
	transaction, err := g.move(call, named.GetTransactionId(), stream)
	if err != nil || transaction == nil {
		return response, err
	}
	into := response.ProtoReflect()
	field := into.Descriptor().Fields().ByName("transaction")
	into.Set(field, protoreflect.ValueOfMessage(proto.CloneOf(transaction).ProtoReflect()))
	return response, nil
}

// move does to a transaction what a call asks; it returns none for a call that is not about one.
func (g *Gateway) move(call, transactionID string, stream grpc.ServerStream) (*giftcardv1.Transaction, error) {
	known := g.transactions[transactionID]
	switch phase := giftcard.PhaseOf(call); {
	case phase == giftcard.Asked && known != nil:
		if giftcard.IsReversed(known) {
			return nil, refusal(codes.FailedPrecondition, "TRANSACTION_REVERSED")
		}
		stream.SetTrailer(metadata.Pairs("giftcard-replayed", "true"))
		return known, nil
	case phase == giftcard.Asked:
		return g.ask(call, transactionID), nil
	case phase == giftcard.Confirming:
		return g.confirm(known)
	case phase == giftcard.Reversing:
		return g.reverse(known, transactionID)
	case call == "GetTransaction" && known == nil:
		return nil, refusal(codes.NotFound, "TRANSACTION_NOT_FOUND")
	case call == "GetTransaction":
		return known, nil
	}
	return nil, nil
}

// ask begins a transaction.
func (g *Gateway) ask(call, transactionID string) *giftcardv1.Transaction {
	operation := giftcardv1.Operation_value["OPERATION_"+strings.ToUpper(call)]
	made := &giftcardv1.Transaction{
		TransactionId: transactionID,
		Operation:     giftcardv1.Operation(operation),
		State:         giftcardv1.TransactionState_TRANSACTION_STATE_APPROVED,
	}
	if len(g.declines) > 0 {
		made.State = giftcardv1.TransactionState_TRANSACTION_STATE_DECLINED
		made.Decline = &giftcardv1.Decline{Reason: g.declines[0]}
		g.declines = g.declines[1:]
	}
	g.transactions[transactionID] = made
	return made
}

func (g *Gateway) confirm(known *giftcardv1.Transaction) (*giftcardv1.Transaction, error) {
	switch {
	case known == nil:
		return nil, refusal(codes.NotFound, "TRANSACTION_NOT_FOUND")
	case giftcard.IsReversed(known):
		return nil, refusal(codes.FailedPrecondition, "TRANSACTION_REVERSED")
	case giftcard.IsDeclined(known):
		return nil, refusal(codes.FailedPrecondition, "STATE_CONFLICT")
	}
	known.State = giftcardv1.TransactionState_TRANSACTION_STATE_CONFIRMED
	return known, nil
}

// reverse takes a transaction back; a reversal may come first.
func (g *Gateway) reverse(known *giftcardv1.Transaction, transactionID string) (*giftcardv1.Transaction, error) {
	if known == nil {
		known = &giftcardv1.Transaction{TransactionId: transactionID}
		g.transactions[transactionID] = known
	}
	if giftcard.IsConfirmed(known) {
		return nil, refusal(codes.FailedPrecondition, "STATE_CONFLICT")
	}
	known.State = giftcardv1.TransactionState_TRANSACTION_STATE_REVERSED
	return known, nil
}

// refusal is an error as the gateway tells it.
func refusal(code codes.Code, reason string) error {
	told := status.New(code, reason)
	if reason == "" {
		return told.Err()
	}
	detailed, err := told.WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: giftcard.Domain})
	if err != nil {
		return fmt.Errorf("giftcardtest: %w", err)
	}
	return detailed.Err()
}

func newMessage(kind protoreflect.MessageDescriptor) (proto.Message, error) {
	found, err := protoregistry.GlobalTypes.FindMessageByName(kind.FullName())
	if err != nil {
		return nil, status.Error(codes.Unimplemented, err.Error())
	}
	return found.New().Interface(), nil
}
