package giftcard_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	giftcard "giftcardgateway.example/giftcard-go"
	"giftcardgateway.example/giftcard-go/giftcardtest"
	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

// Sell sells once, however often it is called with one id, and says what the till is to do.
func Sell(ctx context.Context, client *giftcard.Client, request *giftcardv1.RedeemRequest) string {
	_, err := client.HoldRedemption(ctx, request, func(context.Context, *giftcard.Redemption) error {
		fmt.Println("hand over the goods, once for each id")
		return nil
	})
	var failed *giftcard.ConfirmationFailed
	var told giftcard.Error
	switch {
	case err == nil:
		return "sold"
	case errors.As(err, &failed):
		return "sold; keep " + failed.TransactionID() + " and call again: " + failed.NextStep()
	case errors.As(err, &told):
		return "not sold: " + told.NextStep()
	default:
		return "not sold: " + err.Error()
	}
}

// A confirmation that got lost is made again by selling again under the same id.
func ExampleConfirmationFailed() {
	gateway := giftcardtest.NewGateway()
	defer gateway.Close()
	client, err := gateway.NewClient(giftcard.WithRepeats(giftcard.RepeatPolicy{Attempts: 1}))
	if err != nil {
		panic(err)
	}
	request := &giftcardv1.RedeemRequest{TransactionId: id}
	gateway.Lose("ConfirmRedeem")
	fmt.Println(Sell(context.Background(), client, request)[:len("sold; keep")])
	fmt.Println(Sell(context.Background(), client, request))
	// Output:
	// hand over the goods, once for each id
	// sold; keep
	// hand over the goods, once for each id
	// sold
}

func ExampleRedemption() {
	gateway := giftcardtest.NewGateway()
	defer gateway.Close()
	client, err := gateway.NewClient()
	if err != nil {
		panic(err)
	}
	ctx, request := context.Background(), &giftcardv1.RedeemRequest{TransactionId: id}
	_, err = client.HoldRedemption(ctx, request, func(ctx context.Context, redemption *giftcard.Redemption) error {
		sold, err := giftcard.ParseMoney("19.95", "ZAR")
		redemption.Confirmation.FinalAmount = sold
		return err
	})
	fmt.Println(err, gateway.Calls())
	// Output:
	// <nil> [Redeem ConfirmRedeem]
}

func ExampleCallError() {
	gateway := giftcardtest.NewGateway()
	defer gateway.Close()
	gateway.Lose("ReverseRedeem")
	client, err := gateway.NewClient(giftcard.WithRepeats(giftcard.RepeatPolicy{Attempts: 1}))
	if err != nil {
		panic(err)
	}
	ctx, transactionID := context.Background(), id
	_, err = client.ReverseRedeem(ctx, &giftcardv1.ReverseRedeemRequest{
		TransactionId: transactionID,
		Reason:        giftcardv1.ReversalReason_REVERSAL_REASON_CANCELLED,
	})
	var failure *giftcard.CallError
	if errors.As(err, &failure) {
		fmt.Println(failure.Kind, failure.Code, failure.Reason, failure.IsOutcomeOpen)
		fmt.Println(failure.NextStep())
	}
	// Output:
	// NoAnswer DeadlineExceeded  true
	// Reverse again with the same transaction id, until the gateway has promised it.
}

func ExampleClient_Watch() {
	gateway := giftcardtest.NewGateway()
	defer gateway.Close()
	client, err := gateway.NewClient()
	if err != nil {
		panic(err)
	}
	gateway.Stream("WatchTransactions", status.Error(codes.PermissionDenied, "no more"),
		&giftcardv1.WatchTransactionsResponse{Transaction: &giftcardv1.Transaction{TransactionId: id}})
	err = Report(context.Background(), client)
	fmt.Println(status.Code(err))
	// Output:
	// 0 transactions
	// 0f0d7a6e-4b1c-4d52-9c1e-6a1f4b0f7c11
	// PermissionDenied
}

// Report counts what there is, and tells what happens.
func Report(ctx context.Context, client *giftcard.Client) error {
	for page, err := range giftcard.Pages(ctx, client.ListTransactions, &giftcardv1.ListTransactionsRequest{PageSize: 50}) {
		if err != nil {
			return err
		}
		fmt.Println(len(page.GetTransactions()), "transactions")
	}
	for change, err := range client.Watch(ctx, &giftcardv1.WatchTransactionsRequest{}) {
		if err != nil {
			return err
		}
		fmt.Println(change.GetTransaction().GetTransactionId())
	}
	return nil
}

func ExampleNewClient() {
	authority, fetchToken := []byte(nil), func(context.Context) (string, error) { return "t", nil }
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	client, err := giftcard.NewClient("gateway.example:443",
		giftcard.WithTLS(&tls.Config{RootCAs: trusted}), // leave it out for the system's authorities
		giftcard.WithToken(fetchToken),                  // or giftcard.Token(key)
		giftcard.WithRepeats(giftcard.RepeatPolicy{Deadline: 20 * time.Second}),
	)
	fmt.Println(client != nil, err)
	// Output:
	// true <nil>
}

func TestADeclinedCard(t *testing.T) {
	gateway := giftcardtest.NewGateway()
	defer gateway.Close()
	client, err := gateway.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	gateway.Decline(giftcardv1.DeclineReason_DECLINE_REASON_FUNDS_INSUFFICIENT)

	request := &giftcardv1.RedeemRequest{TransactionId: giftcard.NewTransactionID()}
	_, err = client.HoldRedemption(t.Context(), request, func(context.Context, *giftcard.Redemption) error {
		t.Error("no goods for a declined card")
		return nil
	})
	if !errors.As(err, new(*giftcard.Declined)) || !slices.Equal(gateway.Calls(), []string{"Redeem"}) {
		t.Error(err, gateway.Calls())
	}
}

// What the README shows is code that is compiled and run here, or in the example.
func TestTheReadmeShowsRunningCode(t *testing.T) {
	var running []string
	for _, file := range []string{"example_test.go", filepath.Join("examples", "redeem", "main.go")} {
		running = append(running, "", flattened(t, file))
	}
	everything := strings.Join(running, "\n")
	blocks := strings.Split(flattened(t, "README.md"), "\n```go\n")[1:]
	if len(blocks) < 6 {
		t.Fatalf("%d blocks are shown", len(blocks))
	}
	for _, block := range blocks {
		shown, _, _ := strings.Cut(block, "\n```")
		if !strings.Contains(everything, "\n"+shown+"\n") {
			t.Errorf("not in a file that is compiled:\n%s", shown)
		}
	}
}

// flattened reads a file without the indentation of its lines.
func flattened(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}
