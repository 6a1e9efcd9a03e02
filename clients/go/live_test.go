package giftcard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	giftcard "giftcardgateway.example/giftcard-go"
	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

type scenario struct {
	Name, Operation, Card, Amount, Currency, Block string
	Faults                                         json.RawMessage
	Expect                                         struct {
		Raises     *string
		State      string
		MovedMinor int64 `json:"moved_minor"`
	}
}

// Whatever goes wrong at the provider, money moves as the vectors say, at the sandbox that GIFTCARD_TARGET names.
func TestLiveScenarios(t *testing.T) {
	client, sandbox := liveClient(t), os.Getenv("GIFTCARD_SANDBOX")
	text, err := os.ReadFile(filepath.Join("..", "vectors", "scenarios.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ Cases []scenario }
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors.Cases) == 0 {
		t.Fatal("no case", err)
	}
	t.Cleanup(func() { setFaults(t, sandbox, []byte("[]")) })
	for _, one := range vectors.Cases {
		t.Run(one.Name, func(t *testing.T) { playScenario(t, client, sandbox, one) })
	}
}

// A stream of the gateway is received through the client, and ends with an error of this package.
func TestLiveStream(t *testing.T) {
	client := liveClient(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	transactionID := giftcard.NewTransactionID()
	reversal := &giftcardv1.ReverseRedeemRequest{
		TransactionId: transactionID,
		Reason:        giftcardv1.ReversalReason_REVERSAL_REASON_CANCELLED,
	}
	begun := timestamppb.Now()
	if _, err := client.ReverseRedeem(ctx, reversal); err != nil {
		t.Fatal(err)
	}
	stream, err := client.WatchTransactions(ctx, &giftcardv1.WatchTransactionsRequest{
		Start: &giftcardv1.WatchTransactionsRequest_StartTime{StartTime: begun},
	})
	if err != nil {
		t.Fatal(err)
	}
	for seen := ""; seen != transactionID; {
		change, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		seen = change.GetTransaction().GetTransactionId()
	}
	cancel()
	for err == nil {
		_, err = stream.Recv()
	}
	if !errors.Is(err, context.Canceled) || !errors.As(err, new(*giftcard.CallError)) {
		t.Error(err)
	}
}

// A watch goes on by itself though its connection is cut again and again, and misses nothing.
func TestLiveWatchGoesOn(t *testing.T) {
	steady, breaking := liveClient(t), os.Getenv("GIFTCARD_BREAKING")
	if breaking == "" {
		t.Skip("GIFTCARD_BREAKING names no gateway whose connections are cut")
	}
	client, err := giftcard.NewClient(breaking, giftcard.WithPlaintext())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	request := &giftcardv1.WatchTransactionsRequest{
		Start: &giftcardv1.WatchTransactionsRequest_StartTime{StartTime: timestamppb.Now()},
	}
	awaited := map[string]bool{}
	for range 30 {
		transactionID := giftcard.NewTransactionID()
		awaited[transactionID] = true
		_, err := steady.ReverseRedeem(t.Context(), &giftcardv1.ReverseRedeemRequest{
			TransactionId: transactionID,
			Reason:        giftcardv1.ReversalReason_REVERSAL_REASON_CANCELLED,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for change, err := range client.Watch(t.Context(), request) {
		if err != nil {
			t.Fatal(err)
		}
		delete(awaited, change.GetTransaction().GetTransactionId())
		if len(awaited) == 0 {
			return
		}
	}
}

// What a batch tells of one card is read like the error of a call, and names every bad field.
func TestLiveErrors(t *testing.T) {
	client := liveClient(t)
	request := &giftcardv1.BalanceRequest{Card: cardOf("6045009999999999")}
	answer, err := client.BatchBalance(t.Context(), &giftcardv1.BatchBalanceRequest{Requests: []*giftcardv1.BalanceRequest{request}})
	if err != nil {
		t.Fatal(err)
	}
	var failure *giftcard.CallError
	err = giftcard.ReadError(status.ErrorProto(answer.GetItems()[0].GetError()), request)
	if !errors.As(err, &failure) || failure.Kind != giftcard.NotFound || failure.Reason != "CARD_NOT_FOUND" {
		t.Error(err)
	}
	_, err = client.Redeem(t.Context(), &giftcardv1.RedeemRequest{TransactionId: "no UUID"})
	if !errors.As(err, &failure) || failure.Kind != giftcard.InvalidRequest || len(failure.Violations) != 3 {
		t.Error(err)
	}
}

// liveClient makes a client of the gateway that GIFTCARD_TARGET names.
func liveClient(t *testing.T) *giftcard.Client {
	t.Helper()
	target := os.Getenv("GIFTCARD_TARGET")
	if target == "" {
		t.Skip("GIFTCARD_TARGET names no gateway")
	}
	client, err := giftcard.NewClient(target, giftcard.WithPlaintext())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func cardOf(pan string) *giftcardv1.Card {
	return &giftcardv1.Card{Reference: &giftcardv1.Card_Number{Number: &giftcardv1.CardNumber{Pan: pan}}}
}

func playScenario(t *testing.T, client *giftcard.Client, sandbox string, one scenario) {
	ctx := context.Background()
	amount, err := giftcard.ParseMoney(one.Amount, one.Currency)
	if err != nil {
		t.Fatal(err)
	}
	card := cardOf(one.Card)
	setFaults(t, sandbox, []byte("[]"))
	before := readBalance(ctx, t, client, card)
	setFaults(t, sandbox, one.Faults)
	errBlock := errors.New("the block failed")
	var failure error
	if one.Block == "fails" {
		failure = errBlock
	}
	transactionID := giftcard.NewTransactionID()
	err = holdLive(ctx, t, client, one.Operation, transactionID, card, amount, failure)
	raised := "nothing"
	switch {
	case errors.Is(err, errBlock):
		raised = "block"
	case errors.As(err, new(*giftcard.Declined)):
		raised = "Declined"
	case errors.As(err, new(*giftcard.NotApproved)):
		raised = "NotApproved"
	case err != nil:
		raised = err.Error()
	}
	expected := "nothing"
	if one.Expect.Raises != nil {
		expected = *one.Expect.Raises
	}
	if raised != expected {
		t.Errorf("raised %s, not %s", raised, expected)
	}
	if state := rest(ctx, t, client, transactionID, one.Expect.State); state != one.Expect.State {
		t.Errorf("it is %s, not %s", state, one.Expect.State)
	}
	if moved := before - readBalance(ctx, t, client, card); moved != one.Expect.MovedMinor {
		t.Errorf("%d moved, not %d", moved, one.Expect.MovedMinor)
	}
}

func holdLive(
	ctx context.Context, t *testing.T, client *giftcard.Client, operation, transactionID string,
	card *giftcardv1.Card, amount *money.Money, failure error,
) (err error) {
	switch operation {
	case "Redeem":
		request := &giftcardv1.RedeemRequest{TransactionId: transactionID, Card: card, Amount: amount}
		_, err = client.HoldRedemption(ctx, request, func(context.Context, *giftcard.Redemption) error { return failure })
	case "Load":
		request := &giftcardv1.LoadRequest{TransactionId: transactionID, Card: card, Amount: amount}
		_, err = client.HoldLoading(ctx, request, func(context.Context, *giftcard.Loading) error { return failure })
	default:
		t.Fatalf("%s: no scenario was held with it yet", operation)
	}
	return err
}

// setFaults tells the simulator what to do wrong.
func setFaults(t *testing.T, sandbox string, faults []byte) {
	t.Helper()
	answer, err := http.Post(sandbox+"/_sandbox/faults", "application/json", bytes.NewReader(faults))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= http.StatusMultipleChoices {
		t.Fatal(answer.Status)
	}
}

// readBalance returns what can be spent now, in minor units of a currency of two decimals.
func readBalance(ctx context.Context, t *testing.T, client *giftcard.Client, card *giftcardv1.Card) int64 {
	t.Helper()
	answer, err := client.Balance(ctx, &giftcardv1.BalanceRequest{Card: card})
	if err != nil {
		t.Fatal(err)
	}
	available := answer.GetCardBalance().GetBalances().GetAvailable()
	return available.GetUnits()*100 + int64(available.GetNanos())/10_000_000
}

// rest waits until a transaction is in a state, at most 30 s, and returns the state it is in then.
func rest(ctx context.Context, t *testing.T, client *giftcard.Client, transactionID, state string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	wait := durationpb.New(time.Second)
	for last := ""; ; {
		answer, err := client.GetTransaction(ctx, &giftcardv1.GetTransactionRequest{TransactionId: transactionID, Wait: wait})
		if err != nil {
			t.Log(err)
			return last
		}
		last = stateName(answer.GetTransaction())
		if last == state || giftcard.IsFinal(answer.GetTransaction()) {
			return last
		}
	}
}

func stateName(transaction *giftcardv1.Transaction) string {
	return transaction.GetState().String()[len("TRANSACTION_STATE_"):]
}
