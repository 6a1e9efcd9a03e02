package giftcard_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	giftcard "giftcardgateway.example/giftcard-go"
	"giftcardgateway.example/giftcard-go/giftcardtest"
	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

const (
	id        = "0f0d7a6e-4b1c-4d52-9c1e-6a1f4b0f7c11"
	confirmed = giftcardv1.TransactionState_TRANSACTION_STATE_CONFIRMED
	reversed  = giftcardv1.TransactionState_TRANSACTION_STATE_REVERSED
	declined  = giftcardv1.TransactionState_TRANSACTION_STATE_DECLINED
)

var (
	ask     = &giftcardv1.RedeemRequest{TransactionId: id}
	errSale = errors.New("the till is on fire")
)

// world is a gateway in memory and a client that makes each call once.
func world(t *testing.T) (*giftcardtest.Gateway, *giftcard.Client) {
	t.Helper()
	gateway := giftcardtest.NewGateway()
	t.Cleanup(gateway.Close)
	client, err := gateway.NewClient(giftcard.WithRepeats(giftcard.RepeatPolicy{Attempts: 1}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return gateway, client
}

func expect(t *testing.T, gateway *giftcardtest.Gateway, state giftcardv1.TransactionState, calls ...string) {
	t.Helper()
	if found := gateway.Transaction(id).GetState(); found != state {
		t.Errorf("it is %s, not %s", found, state)
	}
	if !slices.Equal(gateway.Calls(), calls) {
		t.Errorf("called %v, not %v", gateway.Calls(), calls)
	}
}

func fine(context.Context, *giftcard.Redemption) error { return nil }

func never(t *testing.T) func(context.Context, *giftcard.Redemption) error {
	return func(context.Context, *giftcard.Redemption) error {
		t.Error("work ran")
		return nil
	}
}

// Work that ends well is confirmed, and sees an approved transaction.
func TestWorkThatEndsWellIsConfirmed(t *testing.T) {
	gateway, client := world(t)
	held, err := client.HoldRedemption(t.Context(), ask, func(_ context.Context, redemption *giftcard.Redemption) error {
		if !giftcard.IsApproved(redemption.Transaction) {
			t.Error(redemption.Transaction)
		}
		return nil
	})
	if err != nil || held.GetState() != confirmed {
		t.Error(held, err)
	}
	expect(t, gateway, confirmed, "Redeem", "ConfirmRedeem")
}

// Every operation is held by its own calls, with its own confirmation.
func TestEveryOperationIsHeld(t *testing.T) {
	for operation, hold := range map[string]func(context.Context, *giftcard.Client) (*giftcardv1.Transaction, error){
		"Issue": func(ctx context.Context, client *giftcard.Client) (*giftcardv1.Transaction, error) {
			return client.HoldIssuance(ctx, &giftcardv1.IssueRequest{TransactionId: id},
				func(_ context.Context, open *giftcard.Issuance) error { open.Confirmation.Note = "n"; return nil })
		},
		"Activate": func(ctx context.Context, client *giftcard.Client) (*giftcardv1.Transaction, error) {
			return client.HoldActivation(ctx, &giftcardv1.ActivateRequest{TransactionId: id},
				func(_ context.Context, open *giftcard.Activation) error { open.Confirmation.Note = "n"; return nil })
		},
		"Load": func(ctx context.Context, client *giftcard.Client) (*giftcardv1.Transaction, error) {
			return client.HoldLoading(ctx, &giftcardv1.LoadRequest{TransactionId: id},
				func(_ context.Context, open *giftcard.Loading) error { open.Confirmation.Note = "n"; return nil })
		},
		"Redeem": func(ctx context.Context, client *giftcard.Client) (*giftcardv1.Transaction, error) {
			return client.HoldRedemption(ctx, &giftcardv1.RedeemRequest{TransactionId: id},
				func(_ context.Context, open *giftcard.Redemption) error { open.Confirmation.Note = "n"; return nil })
		},
		"Transfer": func(ctx context.Context, client *giftcard.Client) (*giftcardv1.Transaction, error) {
			return client.HoldTransferring(ctx, &giftcardv1.TransferRequest{TransactionId: id},
				func(_ context.Context, open *giftcard.Transferring) error { open.Confirmation.Note = "n"; return nil })
		},
		"Replace": func(ctx context.Context, client *giftcard.Client) (*giftcardv1.Transaction, error) {
			return client.HoldReplacement(ctx, &giftcardv1.ReplaceRequest{TransactionId: id},
				func(_ context.Context, open *giftcard.Replacement) error { open.Confirmation.Note = "n"; return nil })
		},
		"Void": func(ctx context.Context, client *giftcard.Client) (*giftcardv1.Transaction, error) {
			return client.HoldVoiding(ctx, &giftcardv1.VoidRequest{TransactionId: id},
				func(_ context.Context, open *giftcard.Voiding) error { open.Confirmation.Note = "n"; return nil })
		},
	} {
		t.Run(operation, func(t *testing.T) {
			gateway, client := world(t)
			held, err := hold(t.Context(), client)
			if err != nil || held.GetState() != confirmed {
				t.Error(held, err)
			}
			expect(t, gateway, confirmed, operation, "Confirm"+operation)
			confirmation := gateway.Seen()[1].(interface {
				GetTransactionId() string
				GetNote() string
			})
			if confirmation.GetTransactionId() != id || confirmation.GetNote() != "n" {
				t.Error(confirmation)
			}

			gateway, client = world(t)
			gateway.Lose(operation)
			gateway.Fail("GetTransaction", codes.NotFound, "TRANSACTION_NOT_FOUND")
			if _, err := hold(t.Context(), client); err == nil {
				t.Error("no error")
			}
			expect(t, gateway, reversed, operation, "GetTransaction", "Reverse"+operation)
		})
	}
}

// The confirmation says what work put into it, under the transaction's own id.
func TestWorkSaysWhatTheConfirmationCarries(t *testing.T) {
	gateway, client := world(t)
	amount, err := giftcard.ParseMoney("12.50", "ZAR")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.HoldRedemption(t.Context(), ask, func(_ context.Context, redemption *giftcard.Redemption) error {
		redemption.Confirmation.FinalAmount = amount
		redemption.Confirmation.TransactionId = "another"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	expected := &giftcardv1.ConfirmRedeemRequest{TransactionId: id, FinalAmount: amount}
	if !proto.Equal(gateway.Seen()[1], expected) {
		t.Error(gateway.Seen()[1])
	}
}

// Work that fails is reversed, and its own error comes out.
func TestWorkThatFailsIsReversed(t *testing.T) {
	gateway, client := world(t)
	held, err := client.HoldRedemption(t.Context(), ask, func(context.Context, *giftcard.Redemption) error { return errSale })
	if err != errSale || held.GetState() != reversed {
		t.Error(held, err)
	}
	expect(t, gateway, reversed, "Redeem", "ReverseRedeem")
	reason := gateway.Seen()[1].(*giftcardv1.ReverseRedeemRequest).GetReason()
	if reason != giftcardv1.ReversalReason_REVERSAL_REASON_CANCELLED {
		t.Error(reason)
	}
}

// A reversal that fails too is told beside the error of the work.
func TestAFailedReversalIsTold(t *testing.T) {
	gateway, client := world(t)
	gateway.Fail("ReverseRedeem", codes.Unavailable, "OVERLOADED")
	_, err := client.HoldRedemption(t.Context(), ask, func(context.Context, *giftcard.Redemption) error { return errSale })
	var failure *giftcard.CallError
	if !errors.Is(err, errSale) || !errors.As(err, &failure) || failure.Call != "ReverseRedeem" {
		t.Error(err)
	}
	if !strings.Contains(err.Error(), id+" could not be reversed") {
		t.Error(err)
	}
}

// Work that panics is reversed, and the panic goes on.
func TestAPanicIsReversed(t *testing.T) {
	gateway, client := world(t)
	defer func() {
		if recover() != errSale {
			t.Error("the panic is gone")
		}
		expect(t, gateway, reversed, "Redeem", "ReverseRedeem")
	}()
	_, _ = client.HoldRedemption(t.Context(), ask, func(context.Context, *giftcard.Redemption) error { panic(errSale) })
}

// Work that ends its goroutine, as a failing test does, is reversed.
func TestTheEndOfAGoroutineIsReversed(t *testing.T) {
	gateway, client := world(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = client.HoldRedemption(t.Context(), ask, func(context.Context, *giftcard.Redemption) error {
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	expect(t, gateway, reversed, "Redeem", "ReverseRedeem")
}

// A panic in what gives the token leaves nothing taken.
func TestAPanicWhileAskingIsReversed(t *testing.T) {
	gateway, _ := world(t)
	asked := 0
	client, err := gateway.NewClient(giftcard.WithToken(func(context.Context) (string, error) {
		if asked++; asked == 1 {
			panic(errSale)
		}
		return "t", nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() != errSale || client.Close() != nil {
			t.Error("the panic is gone")
		}
		expect(t, gateway, reversed, "ReverseRedeem")
	}()
	_, _ = client.HoldRedemption(t.Context(), ask, never(t))
}

// A context that ends while work runs does not stop the reversal.
func TestACancelledContextIsReversed(t *testing.T) {
	gateway, client := world(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := client.HoldRedemption(ctx, ask, func(ctx context.Context, _ *giftcard.Redemption) error {
		cancel()
		return ctx.Err()
	})
	if err != context.Canceled {
		t.Error(err)
	}
	expect(t, gateway, reversed, "Redeem", "ReverseRedeem")
}

// Work that ended well is confirmed though the context ended meanwhile: the goods are gone.
func TestWorkThatEndedWellIsConfirmedWhateverTheContext(t *testing.T) {
	gateway, client := world(t)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := client.HoldRedemption(ctx, ask, func(context.Context, *giftcard.Redemption) error {
		cancel()
		return nil
	}); err != nil {
		t.Error(err)
	}
	expect(t, gateway, confirmed, "Redeem", "ConfirmRedeem")
}

// A context that ended during the ask leaves nothing taken, and work does not run.
func TestACancelledAskIsReversed(t *testing.T) {
	gateway, client := world(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.HoldRedemption(ctx, ask, never(t)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	expect(t, gateway, reversed, "ReverseRedeem")
}

// A context that ended with the answer of the ask leaves nothing taken, and work does not run.
func TestAContextThatEndsBeforeWorkIsReversed(t *testing.T) {
	gateway, _ := world(t)
	ctx, cancel := context.WithCancel(t.Context())
	client, err := gateway.NewClient(giftcard.WithDialOptions(grpc.WithUnaryInterceptor(
		func(
			ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
			options ...grpc.CallOption,
		) error {
			defer cancel()
			return invoke(ctx, method, request, answer, conn, options...)
		})))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if held, err := client.HoldRedemption(ctx, ask, never(t)); err != context.Canceled || held.GetState() != reversed {
		t.Error(held, err)
	}
	expect(t, gateway, reversed, "Redeem", "ReverseRedeem")
}

// A decline is an error here, with nothing to undo.
func TestADeclineIsToldAndNotReversed(t *testing.T) {
	gateway, client := world(t)
	gateway.Decline(giftcardv1.DeclineReason_DECLINE_REASON_FUNDS_INSUFFICIENT)
	held, err := client.HoldRedemption(t.Context(), ask, never(t))
	var no *giftcard.Declined
	if !errors.As(err, &no) || no.Reason() != giftcardv1.DeclineReason_DECLINE_REASON_FUNDS_INSUFFICIENT {
		t.Fatal(err)
	}
	if !errors.As(err, new(*giftcard.NotApproved)) || !giftcard.IsDeclined(held) {
		t.Error(held)
	}
	if text := err.Error(); text != "transaction "+id+" was declined: FUNDS_INSUFFICIENT" || no.NextStep() == "" {
		t.Error(text)
	}
	expect(t, gateway, declined, "Redeem")
}

// A lost answer that the look-up finds approved goes on as if nothing had happened.
func TestALostAnswerIsFound(t *testing.T) {
	gateway, client := world(t)
	gateway.Lose("Redeem")
	if _, err := client.HoldRedemption(t.Context(), ask, fine); err != nil {
		t.Error(err)
	}
	expect(t, gateway, confirmed, "Redeem", "GetTransaction", "ConfirmRedeem")
}

// A lost answer that cannot be looked up is reversed, and work does not run.
func TestALostAskIsReversed(t *testing.T) {
	gateway, client := world(t)
	gateway.Lose("Redeem")
	gateway.Fail("GetTransaction", codes.NotFound, "TRANSACTION_NOT_FOUND")
	held, err := client.HoldRedemption(t.Context(), ask, never(t))
	var failure *giftcard.CallError
	if !errors.As(err, &failure) || failure.Kind != giftcard.NoAnswer || held.GetState() != reversed {
		t.Error(held, err)
	}
	expect(t, gateway, reversed, "Redeem", "GetTransaction", "ReverseRedeem")
	reason := gateway.Seen()[2].(*giftcardv1.ReverseRedeemRequest).GetReason()
	if reason != giftcardv1.ReversalReason_REVERSAL_REASON_TIMEOUT {
		t.Error(reason)
	}
}

// An ask that was refused leaves nothing to undo.
func TestARefusedAskIsNotReversed(t *testing.T) {
	gateway, client := world(t)
	gateway.Fail("Redeem", codes.InvalidArgument, "FIELD_INVALID")
	if _, err := client.HoldRedemption(t.Context(), ask, never(t)); err == nil {
		t.Error("no error")
	}
	expect(t, gateway, giftcardv1.TransactionState_TRANSACTION_STATE_UNSPECIFIED, "Redeem")
}

// A transaction that came back PENDING, or in a state nobody knows, is reversed; one that is decided is not.
func TestOnlyWhatIsOpenIsReversed(t *testing.T) {
	for state, isReversed := range map[giftcardv1.TransactionState]bool{
		giftcardv1.TransactionState_TRANSACTION_STATE_PENDING: true,
		99: true,
		giftcardv1.TransactionState_TRANSACTION_STATE_FAILED:     false,
		giftcardv1.TransactionState_TRANSACTION_STATE_REVERSING:  false,
		giftcardv1.TransactionState_TRANSACTION_STATE_UNRESOLVED: false,
	} {
		t.Run(state.String(), func(t *testing.T) {
			gateway, client := world(t)
			transaction := &giftcardv1.Transaction{TransactionId: id, State: state}
			gateway.Answer("Redeem", &giftcardv1.RedeemResponse{Transaction: transaction})
			_, err := client.HoldRedemption(t.Context(), ask, never(t))
			var stands *giftcard.NotApproved
			if !errors.As(err, &stands) || stands.NextStep() == "" || stands.Transaction.GetState() != state {
				t.Error(err)
			}
			if isReversed {
				expect(t, gateway, reversed, "Redeem", "ReverseRedeem")
			} else {
				expect(t, gateway, giftcardv1.TransactionState_TRANSACTION_STATE_UNSPECIFIED, "Redeem")
			}
		})
	}
}

// A confirmation that fails is its own error, and nothing is reversed: the goods may be gone.
func TestAFailedConfirmationIsNotReversed(t *testing.T) {
	gateway, client := world(t)
	gateway.Lose("ConfirmRedeem")
	_, err := client.HoldRedemption(t.Context(), ask, fine)
	var failed *giftcard.ConfirmationFailed
	if !errors.As(err, &failed) || failed.TransactionID() != id || !failed.Failure.IsOutcomeOpen {
		t.Error(err)
	}
	expect(t, gateway, confirmed, "Redeem", "ConfirmRedeem")
}

// An id that was confirmed before stays confirmed: nothing is sent again, nor reversed if work fails.
func TestAConfirmedIDStaysConfirmed(t *testing.T) {
	for name, failure := range map[string]error{"ends": nil, "fails": errSale} {
		t.Run(name, func(t *testing.T) {
			gateway, client := world(t)
			if _, err := client.HoldRedemption(t.Context(), ask, fine); err != nil {
				t.Fatal(err)
			}
			_, err := client.HoldRedemption(t.Context(), ask, func(_ context.Context, redemption *giftcard.Redemption) error {
				if !giftcard.IsConfirmed(redemption.Transaction) {
					t.Error(redemption.Transaction)
				}
				return failure
			})
			if !errors.Is(err, failure) {
				t.Error(err)
			}
			expect(t, gateway, confirmed, "Redeem", "ConfirmRedeem", "Redeem")
		})
	}
}
