// Command redeem spends 25.00 from a demo card of the sandbox: `make run` in one terminal, this in another.
// It takes the gateway's address, and the card's number, if they are not the sandbox's own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	giftcard "giftcardgateway.example/giftcard-go"
	giftcardv1 "giftcardgateway.example/giftcard-go/v1"
)

func main() {
	address := flag.String("address", "127.0.0.1:50051", "where the gateway listens")
	pan := flag.String("card", "6045000000000061", "the number of a demo card")
	flag.Parse()
	// Ctrl-C ends the context: what is not decided then is reversed before the program ends.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *address, *pan)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run sells, and says what became of it.
func run(ctx context.Context, address, pan string) error {
	client, err := giftcard.NewClient(address, giftcard.WithPlaintext())
	if err != nil {
		return err
	}
	defer client.Close()
	card := &giftcardv1.Card{Reference: &giftcardv1.Card_Number{Number: &giftcardv1.CardNumber{Pan: pan}}}
	if err := showBalance(ctx, client, card); err != nil {
		return err
	}
	var declined *giftcard.Declined
	if err := sell(ctx, client, card); errors.As(err, &declined) {
		fmt.Println("Another card, please:", declined)
		return nil
	} else if err != nil {
		return err
	}
	return showBalance(ctx, client, card)
}

// sell takes the money, hands over the goods, and makes it final.
func sell(ctx context.Context, client *giftcard.Client, card *giftcardv1.Card) error {
	amount, err := giftcard.ParseMoney("25.00", "ZAR")
	if err != nil {
		return err
	}
	request := &giftcardv1.RedeemRequest{
		// A shop keeps this id with its order before it calls, so that it can ask again after a crash.
		TransactionId: giftcard.NewTransactionID(),
		Card:          card,
		Amount:        amount,
	}
	_, err = client.HoldRedemption(ctx, request, func(_ context.Context, redemption *giftcard.Redemption) error {
		fmt.Println(redemption.Transaction.GetTransactionId(), "is approved: hand over the goods.")
		return nil
	})
	if err == nil {
		fmt.Println("Confirmed.")
	}
	return err
}

// showBalance prints what can be spent now.
func showBalance(ctx context.Context, client *giftcard.Client, card *giftcardv1.Card) error {
	answer, err := client.Balance(ctx, &giftcardv1.BalanceRequest{Card: card})
	if err != nil {
		return err
	}
	available := answer.GetCardBalance().GetBalances().GetAvailable()
	fmt.Println(available.GetCurrencyCode(), giftcard.FormatMoney(available), "can be spent.")
	return nil
}
