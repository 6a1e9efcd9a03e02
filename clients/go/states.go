package giftcard

import giftcardv1 "giftcardgateway.example/giftcard-go/v1"

// IsApproved tells whether the provider said yes and now waits for a confirmation or a reversal.
func IsApproved(transaction *giftcardv1.Transaction) bool {
	return transaction.GetState() == giftcardv1.TransactionState_TRANSACTION_STATE_APPROVED
}

// IsDeclined tells whether the provider said no; the transaction's decline says why.
func IsDeclined(transaction *giftcardv1.Transaction) bool {
	return transaction.GetState() == giftcardv1.TransactionState_TRANSACTION_STATE_DECLINED
}

// IsConfirmed tells whether it is confirmed, or the gateway has promised to confirm it: the sale is made.
func IsConfirmed(transaction *giftcardv1.Transaction) bool {
	switch transaction.GetState() {
	case giftcardv1.TransactionState_TRANSACTION_STATE_CONFIRMING,
		giftcardv1.TransactionState_TRANSACTION_STATE_CONFIRMED:
		return true
	}
	return false
}

// IsReversed tells whether it is reversed, or the gateway has promised to reverse it: the sale is not made.
func IsReversed(transaction *giftcardv1.Transaction) bool {
	switch transaction.GetState() {
	case giftcardv1.TransactionState_TRANSACTION_STATE_REVERSING,
		giftcardv1.TransactionState_TRANSACTION_STATE_REVERSED:
		return true
	}
	return false
}

// IsPending tells whether the outcome is not known yet; a state these stubs do not know counts as such.
func IsPending(transaction *giftcardv1.Transaction) bool {
	isFailed := transaction.GetState() == giftcardv1.TransactionState_TRANSACTION_STATE_FAILED
	return !IsApproved(transaction) && !IsDeclined(transaction) && !IsConfirmed(transaction) &&
		!IsReversed(transaction) && !NeedsPerson(transaction) && !isFailed
}

// IsFinal tells whether nothing will change any more: DECLINED, FAILED, CONFIRMED or REVERSED.
func IsFinal(transaction *giftcardv1.Transaction) bool {
	switch transaction.GetState() {
	case giftcardv1.TransactionState_TRANSACTION_STATE_DECLINED,
		giftcardv1.TransactionState_TRANSACTION_STATE_FAILED,
		giftcardv1.TransactionState_TRANSACTION_STATE_CONFIRMED,
		giftcardv1.TransactionState_TRANSACTION_STATE_REVERSED:
		return true
	}
	return false
}

// NeedsPerson tells whether it is UNRESOLVED: an operator must decide; the transaction's evidence says by what.
func NeedsPerson(transaction *giftcardv1.Transaction) bool {
	return transaction.GetState() == giftcardv1.TransactionState_TRANSACTION_STATE_UNRESOLVED
}
