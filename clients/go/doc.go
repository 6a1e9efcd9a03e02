// Package giftcard calls the gift card gateway: the contract's own calls, repeated where that is safe, with
// errors that say what to do next, and money operations that are confirmed at the end or else reversed.
//
//	client, err := giftcard.NewClient("gateway.example:443", giftcard.WithToken(giftcard.Token(key)))
//
// The messages are in giftcardgateway.example/giftcard-go/v1. A gateway in memory, for tests of those who
// use this package, is in giftcardgateway.example/giftcard-go/giftcardtest.
package giftcard

// Version is the version of this module, which the gateway sees in the user agent.
const Version = "0.1.0"
