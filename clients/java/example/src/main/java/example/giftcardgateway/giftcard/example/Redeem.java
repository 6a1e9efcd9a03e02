package example.giftcardgateway.giftcard.example;

import example.giftcardgateway.giftcard.CallException;
import example.giftcardgateway.giftcard.ConfirmationFailedException;
import example.giftcardgateway.giftcard.DeclinedException;
import example.giftcardgateway.giftcard.GiftcardClient;
import example.giftcardgateway.giftcard.GiftcardException;
import example.giftcardgateway.giftcard.Moneys;
import example.giftcardgateway.giftcard.v1.BalanceRequest;
import example.giftcardgateway.giftcard.v1.Card;
import example.giftcardgateway.giftcard.v1.CardNumber;
import example.giftcardgateway.giftcard.v1.RedeemRequest;

/** Sells something for ZAR 25.00 on a card of the sandbox, and tells what the card holds. */
public final class Redeem {

  private static final String SANDBOX = "127.0.0.1:50051";

  private Redeem() {}

  /**
   * Sells.
   *
   * @param arguments the gateway's address, if it is not the sandbox's usual one
   */
  public static void main(String[] arguments) {
    var target = arguments.length > 0 ? arguments[0] : SANDBOX;
    var number = CardNumber.newBuilder().setPan("6045000000000061");
    var card = Card.newBuilder().setNumber(number).build();
    try (var client = GiftcardClient.builder(target).plaintext().build()) {
      sell(client, card);
      var balance = client.balance(BalanceRequest.newBuilder().setCard(card).build());
      var available = balance.getBalances().getAvailable();
      System.out.printf(
          "%s holds %s %s%n",
          balance.getMaskedCard(), available.getCurrencyCode(), Moneys.toText(available));
    } catch (CallException failure) {
      System.err.printf("%s%n%s%n", failure.getMessage(), failure.nextStep());
      System.exit(1);
    }
  }

  private static void sell(GiftcardClient client, Card card) {
    var request =
        RedeemRequest.newBuilder()
            .setTransactionId(GiftcardClient.newTransactionId())
            .setCard(card)
            .setAmount(Moneys.of("25.00", "ZAR"))
            .build();
    try (var redemption = client.redemption(request)) {
      System.out.println("approved: hand over the goods");
      System.out.println(redemption.confirm().getState());
    } catch (DeclinedException declined) {
      System.out.println("not sold: " + declined.reason());
    } catch (ConfirmationFailedException failed) {
      System.out.printf("sold; keep %s: %s%n", failed.transactionId(), failed.nextStep());
    } catch (GiftcardException failure) {
      System.out.println("not sold: " + failure.nextStep());
    }
  }
}
