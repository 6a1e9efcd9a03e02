package giftcard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

// Open is a transaction that is held open while work runs.
type Open[Confirmation proto.Message] struct {
	// Transaction is approved; or confirmed, if its id was used before.
	Transaction *giftcardv1.Transaction
	// Confirmation is sent at the end. Put into it what else it is to say: a smaller final amount, the tenders.
	Confirmation Confirmation
}

// What is held open, by operation.
type (
	Issuance     = Open[*giftcardv1.ConfirmIssueRequest]
	Activation   = Open[*giftcardv1.ConfirmActivateRequest]
	Loading      = Open[*giftcardv1.ConfirmLoadRequest]
	Redemption   = Open[*giftcardv1.ConfirmRedeemRequest]
	Transferring = Open[*giftcardv1.ConfirmTransferRequest]
	Replacement  = Open[*giftcardv1.ConfirmReplaceRequest]
	Voiding      = Open[*giftcardv1.ConfirmVoidRequest]
)

// HoldIssuance makes new cards; see HoldRedemption.
func (c *Client) HoldIssuance(
	ctx context.Context, request *giftcardv1.IssueRequest, work func(context.Context, *Issuance) error,
) (*giftcardv1.Transaction, error) {
	return hold(ctx, c, request, work)
}

// HoldActivation makes a card live; see HoldRedemption.
func (c *Client) HoldActivation(
	ctx context.Context, request *giftcardv1.ActivateRequest, work func(context.Context, *Activation) error,
) (*giftcardv1.Transaction, error) {
	return hold(ctx, c, request, work)
}

// HoldLoading adds funds to a card; see HoldRedemption.
func (c *Client) HoldLoading(
	ctx context.Context, request *giftcardv1.LoadRequest, work func(context.Context, *Loading) error,
) (*giftcardv1.Transaction, error) {
	return hold(ctx, c, request, work)
}

// HoldRedemption takes money from a card, runs work once the provider has said yes, and confirms when work returns
// nil. It reverses when work returns an error, panics or ends its goroutine; when the context ends before work begins;
// and when the request got lost or came back PENDING. Confirming and reversing have time of their own, so that they
// are seen through though the context ends.
//
// It returns the transaction as last heard of, and nil once it is confirmed or its confirmation is promised. An error
// is what work returned; or a *Declined, *NotApproved or *CallError, and work did not run; or a *ConfirmationFailed,
// which is no failed payment. A reversal that failed too is joined to it.
//
// With an id that was confirmed before, work runs with a confirmed transaction; nothing is sent at its end.
func (c *Client) HoldRedemption(
	ctx context.Context, request *giftcardv1.RedeemRequest, work func(context.Context, *Redemption) error,
) (*giftcardv1.Transaction, error) {
	return hold(ctx, c, request, work)
}

// HoldTransferring moves funds from one card to another; see HoldRedemption.
func (c *Client) HoldTransferring(
	ctx context.Context, request *giftcardv1.TransferRequest, work func(context.Context, *Transferring) error,
) (*giftcardv1.Transaction, error) {
	return hold(ctx, c, request, work)
}

// HoldReplacement moves everything to a new card and voids the old; see HoldRedemption.
func (c *Client) HoldReplacement(
	ctx context.Context, request *giftcardv1.ReplaceRequest, work func(context.Context, *Replacement) error,
) (*giftcardv1.Transaction, error) {
	return hold(ctx, c, request, work)
}

// HoldVoiding ends an active card; see HoldRedemption.
func (c *Client) HoldVoiding(
	ctx context.Context, request *giftcardv1.VoidRequest, work func(context.Context, *Voiding) error,
) (*giftcardv1.Transaction, error) {
	return hold(ctx, c, request, work)
}

// hold asks, works, then confirms or reverses: one way for all operations.
func hold[Confirmation proto.Message](
	ctx context.Context, client *Client, ask proto.Message, work func(context.Context, *Open[Confirmation]) error,
) (*giftcardv1.Transaction, error) {
	held := &holding{conn: client.conn, about: aboutOf(ask)}
	// Whatever leaves this function by a panic or by ending the goroutine leaves the outcome as open as a lost answer.
	defer held.abandon(ctx)
	if err := held.begin(ctx, ask); err != nil {
		return held.transaction, err
	}
	var kind Confirmation
	confirmation := kind.ProtoReflect().New().Interface().(Confirmation)
	err := work(ctx, &Open[Confirmation]{held.transaction, confirmation})
	return held.transaction, held.end(ctx, err, confirmation)
}

// holding is one transaction on its way, without knowing its operation.
type holding struct {
	conn        *conn
	about       About
	transaction *giftcardv1.Transaction
	// isDecided tells that nothing is left to be reversed, however the rest ends.
	isDecided bool
}

// begin asks; when the outcome stays open it reverses, for nothing is to be taken for work that did not run.
func (h *holding) begin(ctx context.Context, ask proto.Message) error {
	transaction, err := h.call(ctx, ask)
	h.isDecided = true
	if err != nil {
		var failure *CallError
		if errors.As(err, &failure) && failure.IsOutcomeOpen {
			return h.reverse(ctx, giftcardv1.ReversalReason_REVERSAL_REASON_TIMEOUT, err)
		}
		return err
	}
	h.transaction = transaction
	switch {
	case IsConfirmed(transaction):
		return nil
	case IsPending(transaction):
		return h.reverse(ctx, giftcardv1.ReversalReason_REVERSAL_REASON_RESPONSE_NOT_FINAL, notApproved(transaction))
	case !IsApproved(transaction):
		return notApproved(transaction)
	case ctx.Err() != nil:
		return h.reverse(ctx, giftcardv1.ReversalReason_REVERSAL_REASON_CANCELLED, context.Cause(ctx))
	}
	h.isDecided = false
	return nil
}

// end confirms, or reverses if work failed.
func (h *holding) end(ctx context.Context, failure error, confirmation proto.Message) error {
	h.isDecided = true
	if IsConfirmed(h.transaction) {
		if failure != nil {
			return fmt.Errorf("%w (transaction %s had been confirmed before: it stays)", failure, h.about.TransactionID)
		}
		return nil
	}
	if failure != nil {
		return h.reverse(ctx, giftcardv1.ReversalReason_REVERSAL_REASON_CANCELLED, failure)
	}
	setField(confirmation, "transaction_id", protoreflect.ValueOfString(h.about.TransactionID))
	confirmed, err := h.call(context.WithoutCancel(ctx), confirmation)
	if err == nil {
		h.transaction = confirmed
	}
	return err
}

// reverse reverses because of something, which it returns; should that fail too, it says so beside it.
func (h *holding) reverse(ctx context.Context, reason giftcardv1.ReversalReason, because error) error {
	reversal, err := newMessage("Reverse" + h.about.Call + "Request")
	if err != nil {
		return errors.Join(because, err)
	}
	setField(reversal, "transaction_id", protoreflect.ValueOfString(h.about.TransactionID))
	setField(reversal, "reason", protoreflect.ValueOfEnum(reason.Number()))
	reversed, err := h.call(context.WithoutCancel(ctx), reversal)
	if err != nil {
		return errors.Join(because, fmt.Errorf("transaction %s could not be reversed: %w", h.about.TransactionID, err))
	}
	h.transaction = reversed
	return because
}

// abandon reverses if nothing was decided: a panic is on its way, or the goroutine ends.
func (h *holding) abandon(ctx context.Context) {
	if h.isDecided {
		return
	}
	if err := h.reverse(ctx, giftcardv1.ReversalReason_REVERSAL_REASON_CANCELLED, nil); err != nil {
		slog.ErrorContext(ctx, "giftcard: after a panic: "+err.Error())
	}
}

// call makes a money call by its request and returns the transaction.
func (h *holding) call(ctx context.Context, request proto.Message) (*giftcardv1.Transaction, error) {
	call := aboutOf(request).Call
	answer, err := newMessage(call + "Response")
	if err != nil {
		return nil, err
	}
	method := "/" + giftcardv1.GiftCardService_ServiceDesc.ServiceName + "/" + call
	if err := h.conn.Invoke(ctx, method, request, answer); err != nil {
		return nil, err
	}
	return answer.(interface {
		GetTransaction() *giftcardv1.Transaction
	}).GetTransaction(), nil
}

// newMessage makes a message of the contract by its name.
func newMessage(name string) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName("giftcard.v1." + name))
	if err != nil {
		return nil, fmt.Errorf("giftcard: %s: %w", name, err)
	}
	return kind.New().Interface(), nil
}

func setField(message proto.Message, name protoreflect.Name, value protoreflect.Value) {
	into := message.ProtoReflect()
	into.Set(into.Descriptor().Fields().ByName(name), value)
}
