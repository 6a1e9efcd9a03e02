/**
 * Spends 25.00 from a demo card of the sandbox: `make run` in one terminal, `npm run example` in another.
 *
 * Takes the gateway's address and the card's number, if they are not the sandbox's own.
 */
import {
  Declined,
  GiftcardError,
  card,
  moneyToText,
  newTransactionId,
  toMoney,
} from "@giftcardgateway/client";
import { connect } from "@giftcardgateway/client/node";

const [target = "127.0.0.1:50051", pan = "6045000000000061"] = process.argv.slice(2);

await using client = connect(target, { plaintext: true });
try {
  await showBalance();
  // A shop keeps this id with its order before it calls, so that it can ask again after a crash.
  const transactionId = newTransactionId();
  const request = { transactionId, card: card(pan), amount: toMoney("25.00", "ZAR") };
  await client.redemption(request, ({ transaction }) => {
    console.log(`${transaction.transactionId} is approved: hand over the goods.`);
  });
  console.log("Confirmed.");
  await showBalance();
} catch (error) {
  if (!(error instanceof GiftcardError)) throw error;
  console.error(error instanceof Declined ? "Ask for another card." : error.nextStep, error.message);
  process.exitCode = 1;
}

async function showBalance(): Promise<void> {
  const { cardBalance } = await client.giftCards.balance({ card: card(pan) });
  const available = cardBalance?.balances?.available;
  if (available) console.log(`${available.currencyCode} ${moneyToText(available)} can be spent.`);
}
