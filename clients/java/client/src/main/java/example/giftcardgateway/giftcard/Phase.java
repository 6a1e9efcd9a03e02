package example.giftcardgateway.giftcard;

/** Which part of a transaction's life a call belongs to. */
public enum Phase {
  /** A money operation was asked for: without an answer it may have happened. */
  ASKED,
  /** An approved transaction is made final: the goods may be gone. */
  CONFIRMING,
  /** A transaction is taken back. */
  REVERSING,
  /** A read: it changed nothing. */
  READING,
  /** A change that is no money operation, such as storing a card. */
  CHANGING,
  /** Nobody said: the error came without a request of the contract. */
  UNKNOWN
}
