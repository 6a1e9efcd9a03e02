package giftcard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"giftcardgateway.example/giftcard-go/internal/redact"
	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

// Domain is the domain of the ErrorInfo whose reasons the contract defines, in ErrorReason.
const Domain = "giftcard.v1"

// Error is what every error of this package is: CallError, ConfirmationFailed, NotApproved and Declined.
type Error interface {
	error
	// NextStep says what to do now, in a sentence.
	NextStep() string
}

// Kind sorts what a call can fail with.
type Kind string

const (
	// InvalidRequest: fields are missing or malformed; Violations lists all of them.
	InvalidRequest Kind = "InvalidRequest"
	// Unauthenticated: no or bad credentials.
	Unauthenticated Kind = "Unauthenticated"
	// PermissionDenied: the caller may not do this; Metadata says what is missing.
	PermissionDenied Kind = "PermissionDenied"
	// NotFound: no such transaction, card, provider or export; Reason says which.
	NotFound Kind = "NotFound"
	// Conflict: the transaction id was used before, or the state of things forbids it.
	Conflict Kind = "Conflict"
	// Unsupported: the provider, or this release of the gateway, does not do this.
	Unsupported Kind = "Unsupported"
	// Unavailable: the gateway or the provider cannot serve now.
	Unavailable Kind = "Unavailable"
	// Throttled: too much was asked; with a reason, nothing was sent.
	Throttled Kind = "Throttled"
	// NoAnswer: a deadline, a cut connection, a fault of the gateway. The request may have arrived.
	NoAnswer Kind = "NoAnswer"
	// CallNotSent: what gives the token or the metadata failed, and nothing was sent; Unwrap gives its error.
	CallNotSent Kind = "CallNotSent"
	// Closed: the client is closed, and nothing was sent.
	Closed Kind = "Closed"
)

// Violation names one field that the gateway refused, by its path in the request, and says why.
type Violation struct {
	Field       string
	Description string
}

// CallError tells that a call brought no result.
type CallError struct {
	About
	Kind Kind
	// Code is gRPC's own.
	Code codes.Code
	// Reason is a name of ErrorReason without its prefix, or empty where the error is not the gateway's.
	Reason string
	// Metadata is what the gateway tells beside the reason, such as the scope that is missing.
	Metadata map[string]string
	// Message is for a person. What looks like a card number is taken out of it.
	Message string
	// Violations lists every field to correct.
	Violations []Violation
	// RetryAfter is how long the gateway wants to be left alone; zero if it did not say.
	RetryAfter time.Duration
	// RequestID is what to quote to the gateway's operator, where the fault is the gateway's.
	RequestID string
	// IsOutcomeOpen tells whether a money call may have had its effect all the same.
	IsOutcomeOpen bool

	cause error
}

// cardNumber finds what may be one: the gateway keeps them out of its texts, a proxy between might not.
var cardNumber = regexp.MustCompile(`\p{Nd}{13,19}`)

// Error says what was called, what came of it and why, without card data.
func (e *CallError) Error() string {
	var unsaid []string
	for _, each := range e.Violations {
		if field := each.Field + ": " + each.Description; !strings.Contains(e.Message, field) {
			unsaid = append(unsaid, field)
		}
	}
	text := joined(" - ", code.Code(e.Code).String(), e.Reason, e.Message, strings.Join(unsaid, "; "))
	text = scrubbed(joined(": ", joined(" ", e.Call, e.TransactionID), text))
	// A request id may hold as many digits as a card number, and is the gateway's own.
	return joined(" - ", text, e.RequestID)
}

// GoString is the same as Error, so that no verb of fmt shows more.
func (e *CallError) GoString() string { return e.Error() }

// NextStep says what to do now, in a sentence.
func (e *CallError) NextStep() string {
	if e.IsOutcomeOpen {
		return afterOpen(e.Phase)
	}
	switch e.Kind {
	case InvalidRequest:
		return afterInvalid
	case Unauthenticated:
		return afterUnauthenticated
	case PermissionDenied:
		return afterPermission
	case NotFound:
		return afterNotFound
	case Conflict:
		return afterConflict
	case Unsupported:
		return afterUnsupported
	case CallNotSent:
		return afterNotSent
	case Closed:
		return afterClosed
	default:
		return afterUnavailable(e.Phase)
	}
}

// Unwrap gives the error of what gives the token or metadata, or of the context that ended a pause.
func (e *CallError) Unwrap() error { return e.cause }

// Is lets errors.Is find context.Canceled and context.DeadlineExceeded, which gRPC tells as codes.
func (e *CallError) Is(target error) bool {
	return target == context.Canceled && e.Code == codes.Canceled ||
		target == context.DeadlineExceeded && e.Code == codes.DeadlineExceeded
}

// GRPCStatus lets status.Code and status.FromError read the error. The details are in the fields.
func (e *CallError) GRPCStatus() *status.Status { return status.New(e.Code, e.Message) }

// ReadError returns what gRPC reported of a call as a *CallError; use it, with the request, for calls made
// with stubs of your own. The end of a stream, io.EOF, and nil are returned as they are.
func ReadError(err error, request proto.Message) error {
	return read(err, aboutOf(request))
}

func read(err error, about About) error {
	var known Error
	if err == nil || err == io.EOF || errors.As(err, &known) {
		return err
	}
	return readFailure(err, about)
}

// readFailure reads what gRPC reported of a call that failed.
func readFailure(err error, about About) *CallError {
	told, isStatus := status.FromError(err)
	if !isStatus {
		told = status.FromContextError(err)
	}
	return readStatus(told, about)
}

func readStatus(told *status.Status, about About) *CallError {
	read := &CallError{About: about, Kind: kindOf(told.Code()), Code: told.Code(), Message: scrubbed(told.Message())}
	for _, detail := range told.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == Domain && read.Reason == "" {
				read.Reason, read.Metadata = detail.GetReason(), detail.GetMetadata()
			}
		case *errdetails.BadRequest:
			for _, each := range detail.GetFieldViolations() {
				read.Violations = append(read.Violations, Violation{each.GetField(), each.GetDescription()})
			}
		case *errdetails.RetryInfo:
			read.RetryAfter = detail.GetRetryDelay().AsDuration()
		case *errdetails.RequestInfo:
			read.RequestID = detail.GetRequestId()
		}
	}
	// The gateway's own reasons prove that nothing was sent; a connection that ended proves nothing. What came onto
	// none is seen by conn.send.
	isPassing := read.Kind == Unavailable || read.Kind == Throttled
	// gRPC itself says ResourceExhausted of an answer that was too large, so only the gateway's word proves anything.
	read.IsOutcomeOpen = read.Kind == NoAnswer || isPassing && read.Reason == ""
	return read
}

func kindOf(code codes.Code) Kind {
	switch code {
	case codes.InvalidArgument, codes.OutOfRange:
		return InvalidRequest
	case codes.Unauthenticated:
		return Unauthenticated
	case codes.PermissionDenied:
		return PermissionDenied
	case codes.NotFound:
		return NotFound
	case codes.AlreadyExists, codes.FailedPrecondition, codes.Aborted:
		return Conflict
	case codes.Unimplemented:
		return Unsupported
	case codes.Unavailable:
		return Unavailable
	case codes.ResourceExhausted:
		return Throttled
	default:
		return NoAnswer
	}
}

// ConfirmationFailed tells that a confirmation was lost or refused. This is no failed payment: the goods may
// be gone. So errors.As does not find a CallError in it; Failure is what ended it.
type ConfirmationFailed struct {
	Failure *CallError
}

// Error says what ended the confirmation, and what to do.
func (e *ConfirmationFailed) Error() string {
	return strings.TrimSuffix(e.Failure.Error(), ".") + ". " + e.NextStep()
}

// TransactionID is the transaction that was to be confirmed.
func (e *ConfirmationFailed) TransactionID() string { return e.Failure.TransactionID }

// NextStep has the confirmation repeated, unless the gateway refused it for good.
func (e *ConfirmationFailed) NextStep() string {
	switch e.Failure.Kind {
	case InvalidRequest, NotFound, Conflict, Unsupported:
		return readAfterConfirmation
	default:
		return repeatConfirmation
	}
}

// NotApproved tells that a transaction is not approved, where it had to be.
type NotApproved struct {
	Transaction *giftcardv1.Transaction
}

// Error says how the transaction stands, by its id and without card data.
func (e *NotApproved) Error() string {
	return fmt.Sprintf("transaction %s is %s", e.Transaction.GetTransactionId(),
		strings.TrimPrefix(e.Transaction.GetState().String(), "TRANSACTION_STATE_"))
}

// NextStep says what to do now, in a sentence.
func (e *NotApproved) NextStep() string {
	switch {
	case IsApproved(e.Transaction):
		return whenApproved
	case IsDeclined(e.Transaction):
		return whenDeclined
	case IsConfirmed(e.Transaction):
		return whenConfirmed
	case NeedsPerson(e.Transaction):
		return whenPerson
	case IsPending(e.Transaction):
		return whenPending
	default:
		return whenReversed
	}
}

// Declined tells that the provider said no; no money moved. It is a NotApproved too.
type Declined struct {
	NotApproved
}

// Reason says why, in the contract's own list; decide by this one.
func (e *Declined) Reason() giftcardv1.DeclineReason { return e.Transaction.GetDecline().GetReason() }

// Error says why, leaving out the provider's own text: it is for support.
func (e *Declined) Error() string {
	return fmt.Sprintf("transaction %s was declined: %s", e.Transaction.GetTransactionId(),
		strings.TrimPrefix(e.Reason().String(), "DECLINE_REASON_"))
}

// Unwrap lets errors.As find the NotApproved.
func (e *Declined) Unwrap() error { return &e.NotApproved }

// notApproved returns how a transaction stands as an error.
func notApproved(transaction *giftcardv1.Transaction) error {
	stands := NotApproved{Transaction: transaction}
	if IsDeclined(transaction) {
		return &Declined{NotApproved: stands}
	}
	return &stands
}

// Redacted returns the text of any message without its secrets. Messages of v1 print like this by themselves;
// it is for messages of other kinds that hold them.
func Redacted(message proto.Message) string { return redact.String(message) }

func scrubbed(text string) string { return cardNumber.ReplaceAllString(text, "****") }

// joined joins the texts that are not empty.
func joined(separator string, texts ...string) string {
	var full []string
	for _, text := range texts {
		if text != "" {
			full = append(full, text)
		}
	}
	return strings.Join(full, separator)
}
