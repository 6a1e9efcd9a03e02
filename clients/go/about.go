package giftcard

import (
	"path"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/google/uuid"
)

// Phase tells which part of a transaction's life a call belongs to.
type Phase string

const (
	// Asked: a money operation was asked for; without an answer it may have happened.
	Asked Phase = "asked"
	// Confirming: an approved transaction is made final; the goods may be gone.
	Confirming Phase = "confirming"
	// Reversing: a transaction is taken back.
	Reversing Phase = "reversing"
	// Reading: a read, which changes nothing.
	Reading Phase = "reading"
	// Changing: a change that is no money operation, such as storing a card.
	Changing Phase = "changing"
	// UnknownPhase: nobody said what the call was.
	UnknownPhase Phase = ""
)

// PhaseOf returns the phase of a call of the contract by its name, such as Redeem or ConfirmRedeem.
func PhaseOf(call string) Phase {
	return phases()[call]
}

// NewTransactionID makes the id of a new transaction: a version-4 UUID. Keep it before you call.
func NewTransactionID() string {
	return uuid.NewString()
}

// About tells what a call is about.
type About struct {
	// Call is the name of the call in the contract, such as Redeem; empty if nobody said.
	Call string
	// TransactionID is the transaction it was about, or empty.
	TransactionID string
	// Phase is the part of the transaction's life that the call belongs to.
	Phase Phase
}

// aboutOf reads what a call is about off its request.
func aboutOf(request proto.Message) About {
	if request == nil {
		return About{}
	}
	call := strings.TrimSuffix(string(request.ProtoReflect().Descriptor().Name()), "Request")
	about := About{Call: call, Phase: PhaseOf(call)}
	if named, ok := request.(interface{ GetTransactionId() string }); ok {
		about.TransactionID = named.GetTransactionId()
	}
	return about
}

// aboutMethod reads what a call is about off its full name, which is all there is before a stream's first request.
func aboutMethod(fullMethod string) About {
	call := path.Base(fullMethod)
	return About{Call: call, Phase: PhaseOf(call)}
}

// phases sorts the calls of the contract by their phase.
var phases = sync.OnceValue(func() map[string]Phase {
	sorted := map[string]Phase{}
	protoregistry.GlobalFiles.RangeFilesByPackage("giftcard.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			sortCalls(file.Services().Get(i).Methods(), sorted)
		}
		return true
	})
	return sorted
})

func sortCalls(methods protoreflect.MethodDescriptors, sorted map[string]Phase) {
	for i := range methods.Len() {
		method := methods.Get(i)
		call := method.Name()
		if methods.ByName("Confirm"+call) != nil {
			sorted[string(call)] = Asked
			sorted["Confirm"+string(call)] = Confirming
			sorted["Reverse"+string(call)] = Reversing
		} else if _, isDecision := sorted[string(call)]; !isDecision {
			sorted[string(call)] = Changing
			options, ok := method.Options().(*descriptorpb.MethodOptions)
			if ok && options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS {
				sorted[string(call)] = Reading
			}
		}
	}
}
