import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { Code } from "@connectrpc/connect";
import { Client, card, newTransactionId, v1 } from "@giftcardgateway/client";
import { FakeGateway } from "@giftcardgateway/client/testing";

const transactionId = newTransactionId();

test("A fake gateway replays what it recorded, and says so in the trailer", async () => {
  const gateway = new FakeGateway();
  const { giftCards } = new Client(gateway.transport);
  const replayed: (string | null)[] = [];
  const onTrailer = (trailer: Headers): void => void replayed.push(trailer.get("giftcard-replayed"));
  await giftCards.redeem({ transactionId }, { onTrailer });
  await giftCards.redeem({ transactionId }, { onTrailer });
  assert.deepEqual(replayed, [null, "true"]);
});

test("A reversal may come before its request, which is then refused", async () => {
  const { giftCards } = new Client(new FakeGateway().transport);
  await giftCards.reverseRedeem({ transactionId, reason: v1.ReversalReason.TIMEOUT });
  await assert.rejects(giftCards.redeem({ transactionId }), { reason: "TRANSACTION_REVERSED" });
});

test("What a fake gateway is told holds once, in the order it was told", async () => {
  const gateway = new FakeGateway();
  const { giftCards } = new Client(gateway.transport);
  gateway.fail("Balance", Code.NotFound, "CARD_NOT_FOUND");
  gateway.answer("Balance", { cardBalance: { maskedCard: "****0061" } });
  await assert.rejects(giftCards.balance({}), { kind: "NotFound", reason: "CARD_NOT_FOUND" });
  assert.equal((await giftCards.balance({})).cardBalance?.maskedCard, "****0061");
  assert.equal((await giftCards.balance({})).cardBalance, undefined);
});

test("A call the contract does not have cannot be told of", () => {
  assert.throws(() => {
    new FakeGateway().fail("Redem", Code.Internal);
  }, TypeError);
});

test("The requests a fake gateway saw are safe to print", async () => {
  const gateway = new FakeGateway();
  await new Client(gateway.transport).giftCards.balance({ card: card("6045000000000061") });
  assert.ok(!inspect(gateway, { depth: 9 }).includes("6045000000000061"));
  assert.equal((gateway.seen[0] as v1.BalanceRequest).card?.reference.case, "number");
});
