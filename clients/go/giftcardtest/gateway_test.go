package giftcardtest_test

import (
	"errors"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	giftcard "giftcardgateway.example/giftcard-go"
	"giftcardgateway.example/giftcard-go/giftcardtest"
	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

const id = "0f0d7a6e-4b1c-4d52-9c1e-6a1f4b0f7c11"

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

func expectKind(t *testing.T, err error, kind giftcard.Kind, reason string) {
	t.Helper()
	var failure *giftcard.CallError
	var failed *giftcard.ConfirmationFailed
	if errors.As(err, &failed) {
		failure = failed.Failure
	} else if !errors.As(err, &failure) {
		t.Fatalf("%v is no failure of a call", err)
	}
	if failure.Kind != kind || failure.Reason != reason {
		t.Errorf("%v, not %s %s", failure, kind, reason)
	}
}

// The same request again is answered by what was recorded, and says so.
func TestRepeatsAreReplayed(t *testing.T) {
	_, client := world(t)
	for _, replayed := range []int{0, 1} {
		var trailer metadata.MD
		answer, err := client.Redeem(t.Context(), &giftcardv1.RedeemRequest{TransactionId: id}, grpc.Trailer(&trailer))
		if err != nil || len(trailer.Get("giftcard-replayed")) != replayed || !giftcard.IsApproved(answer.GetTransaction()) {
			t.Error(answer, trailer, err)
		}
	}
}

// A reversal may come first; then its request is refused, and so is its confirmation.
func TestAReversalMayComeFirst(t *testing.T) {
	_, client := world(t)
	if _, err := client.ReverseRedeem(t.Context(), &giftcardv1.ReverseRedeemRequest{TransactionId: id}); err != nil {
		t.Fatal(err)
	}
	_, err := client.Redeem(t.Context(), &giftcardv1.RedeemRequest{TransactionId: id})
	expectKind(t, err, giftcard.Conflict, "TRANSACTION_REVERSED")
	_, err = client.ConfirmRedeem(t.Context(), &giftcardv1.ConfirmRedeemRequest{TransactionId: id})
	expectKind(t, err, giftcard.Conflict, "TRANSACTION_REVERSED")
}

// What was confirmed is not reversed, and what nobody asked for is neither confirmed nor found.
func TestWhatCannotBeIsRefused(t *testing.T) {
	_, client := world(t)
	_, err := client.ConfirmLoad(t.Context(), &giftcardv1.ConfirmLoadRequest{TransactionId: id})
	expectKind(t, err, giftcard.NotFound, "TRANSACTION_NOT_FOUND")
	_, err = client.GetTransaction(t.Context(), &giftcardv1.GetTransactionRequest{TransactionId: id})
	expectKind(t, err, giftcard.NotFound, "TRANSACTION_NOT_FOUND")
	_, asked := client.Load(t.Context(), &giftcardv1.LoadRequest{TransactionId: id})
	_, confirmed := client.ConfirmLoad(t.Context(), &giftcardv1.ConfirmLoadRequest{TransactionId: id})
	if err := errors.Join(asked, confirmed); err != nil {
		t.Fatal(err)
	}
	_, err = client.ReverseLoad(t.Context(), &giftcardv1.ReverseLoadRequest{TransactionId: id})
	expectKind(t, err, giftcard.Conflict, "STATE_CONFLICT")
}

// What a gateway is told holds once.
func TestAnOrderHoldsOnce(t *testing.T) {
	gateway, client := world(t)
	told := &giftcardv1.BalanceResponse{CardBalance: &giftcardv1.CardBalance{Provider: "shop"}}
	gateway.Answer("Balance", told)
	gateway.Fail("StoreCard", codes.PermissionDenied, "SCOPE_MISSING")
	first, err := client.Balance(t.Context(), &giftcardv1.BalanceRequest{})
	if err != nil || !proto.Equal(first, told) {
		t.Error(first, err)
	}
	second, err := client.Balance(t.Context(), &giftcardv1.BalanceRequest{})
	if err != nil || !proto.Equal(second, &giftcardv1.BalanceResponse{}) {
		t.Error(second, err)
	}
	_, err = client.StoreCard(t.Context(), &giftcardv1.StoreCardRequest{})
	expectKind(t, err, giftcard.PermissionDenied, "SCOPE_MISSING")
	if _, err = client.StoreCard(t.Context(), &giftcardv1.StoreCardRequest{}); err != nil {
		t.Error(err)
	}
}

// It has no streams, and says so.
func TestItHasNoStreams(t *testing.T) {
	_, client := world(t)
	stream, err := client.WatchTransactions(t.Context(), &giftcardv1.WatchTransactionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	expectKind(t, err, giftcard.Unsupported, "")
}
