package example.giftcardgateway.giftcard;

import example.giftcardgateway.giftcard.v1.Card;
import example.giftcardgateway.giftcard.v1.CardNumber;
import example.giftcardgateway.giftcard.v1.RedeemRequest;

/** What the tests ask for. */
final class Requests {

  static final String ID = "0f0d7a6e-4b1c-4d52-9c1e-6a1f4b0f7c11";

  private Requests() {}

  static Card card(String pan) {
    return Card.newBuilder().setNumber(CardNumber.newBuilder().setPan(pan)).build();
  }

  static RedeemRequest redeem() {
    return RedeemRequest.newBuilder()
        .setTransactionId(ID)
        .setCard(card("6045000000000061"))
        .setAmount(Moneys.of("25.00", "ZAR"))
        .build();
  }
}
