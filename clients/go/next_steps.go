package giftcard

// What to do after an error, in a sentence.
const (
	afterClosed          = "Make a new client: this one is closed, and nothing was sent."
	afterNotSent         = "Mend what gives the client its token or metadata, then repeat: nothing was sent."
	afterInvalid         = "Correct the fields named in `violations`; nothing was changed."
	afterUnauthenticated = "Sign in again, then repeat the same call; nothing was changed."
	afterPermission      = "Have the scope named in `metadata` granted; nothing was changed."
	afterNotFound        = "Look at the id and at who may see it; `reason` says what is not there."
	afterConflict        = "Read the transaction: its state says what was decided. A new operation needs a new id."
	afterUnsupported     = "Do without it: ListProviders tells what each provider does."
	later                = "Repeat it later; nothing was done."
	laterSameID          = "Repeat it later with the same transaction id; nothing was done."

	whenApproved  = "Confirm it or reverse it, before its `confirm_by`."
	whenConfirmed = "Nothing: the sale is made. Do not hand over the goods again."
	whenReversed  = "Nothing: no money is taken. A new attempt needs a new transaction id."
	whenDeclined  = "Ask for another card or amount, under a new transaction id; no money moved."
	whenPending   = "Do not hand over the goods: read the transaction later, or reverse it."
	whenPerson    = "Wait for an operator, who has to decide it; do not hand over the goods."

	repeatConfirmation = "This is no failed payment, and the goods may be gone: repeat the confirmation with the" +
		" same transaction id until the gateway has promised it, before the transaction's `confirm_by`."
	readAfterConfirmation = "This is no failed payment, and the goods may be gone: read the transaction. If it is" +
		" reversed, take the goods back or ask for the money again, under a new transaction id."
	readBeforeRepeating = "It may have happened: read how things stand before you repeat it."
)

// afterOpen says what to do when a call may have had its effect.
func afterOpen(phase Phase) string {
	switch phase {
	case Asked:
		return "It may have happened: ask again with the same transaction id, read the transaction, or reverse it."
	case Confirming:
		return repeatConfirmation
	case Reversing:
		return "Reverse again with the same transaction id, until the gateway has promised it."
	case Reading:
		return "Read again: a read changes nothing."
	default:
		return readBeforeRepeating
	}
}

// afterUnavailable says what to do when nothing was done, and may be done later.
func afterUnavailable(phase Phase) string {
	switch phase {
	case Confirming:
		return repeatConfirmation
	case Asked, Reversing:
		return laterSameID
	default:
		return later
	}
}
