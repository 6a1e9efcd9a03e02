// Every call of Gr4vy's JavaScript SDK that concerns gift cards, against one server; prints what came of each.
// Usage: node calls.mjs FOLDER_WITH_NODE_MODULES, with what `asked` holds as JSON on standard input.
// Prints one JSON object: for each call its value, or { error, status } with the SDK's own error class.
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';

const { Gr4vy, withToken, verifyWebhook } = createRequire(`${process.argv[2]}/`)('@gr4vy/sdk');
const asked = JSON.parse(await text(process.stdin));
const { number, pin, buyer } = asked;
const sdk = new Gr4vy({
  serverURL: asked.url,
  merchantAccountId: asked.merchant,
  bearerAuth: withToken({ privateKey: asked.key }),
  retryConfig: { strategy: 'none' },
  timeoutMs: 10_000,
});
const told = {};

async function play(name, call) {
  try {
    told[name] = (await call()) ?? null;
  } catch (fault) {
    told[name] = { error: fault.constructor.name, status: fault.statusCode, why: String(fault.message) };
  }
  return told[name];
}

async function pages(listing) {
  const found = [];
  for await (const page of await listing) found.push(page.result.items);
  return found;
}

function pay(amount, cards, key, rest = {}) {
  const body = { amount, currency: 'USD', intent: 'capture', store: false, giftCards: cards, ...rest };
  return sdk.transactions.create(body, undefined, key);
}

const card = (amount) => ({ number, pin, amount });

const stored = await play('store', () => sdk.giftCards.create({ number, pin, buyerExternalIdentifier: buyer }));
await play('store again', () => sdk.giftCards.create({ number, pin, buyerExternalIdentifier: buyer }));
await play('get', () => sdk.giftCards.get(stored.id));
await play('get by a wrong id', () => sdk.giftCards.get('not a uuid'));
await play('list of a buyer', () => pages(sdk.giftCards.list({ buyerExternalIdentifier: buyer })));
await play('list with balances', () =>
  sdk.buyers.giftCards.list(buyer));
await sdk.giftCards.create({ number: asked.other, pin });
await play('list by pages', () => pages(sdk.giftCards.list({ limit: 1 })));
await play('balances', () =>
  sdk.giftCards.balances.list({
    items: [{ number, pin }, { id: stored.id }, { number: asked.other, pin: '10001' }],
  }));

const paid = await play('pay', () =>
  pay(1_000, [card(1_000)], 'key-1', { externalIdentifier: 'order-1', metadata: { till: '4' } }));
await play('pay again', () => pay(1_000, [card(1_000)], 'key-1', { externalIdentifier: 'order-1' }));
const byId = await play('pay by stored card', () =>
  pay(500, [{ id: stored.id, amount: 500 }], 'key-2', { buyerExternalIdentifier: buyer }));
await play('pay too much', () => pay(60_000, [card(60_000)], 'key-3'));
await play('pay with nothing', () => pay(1_000, [], 'key-4'));
await play('transaction', () => sdk.transactions.get(paid.id));
await play('transactions of a card', () =>
  pages(sdk.transactions.list({ giftCardLast4: number.slice(-4), hasGiftCardRedemptions: true })));
await play('transactions of an order', () => pages(sdk.transactions.list({ externalIdentifier: 'order-1' })));

const target = { targetType: 'gift-card-redemption', targetId: paid.giftCardRedemptions?.[0]?.id };
const part = await play('refund', () =>
  sdk.transactions.refunds.create({ amount: 300, reason: 'one came back', ...target }, paid.id, undefined, 'key-5'));
await play('refund again', () =>
  sdk.transactions.refunds.create({ amount: 300, reason: 'one came back', ...target }, paid.id, undefined, 'key-5'));
await play('refund too much', () => sdk.transactions.refunds.create({ amount: 900, ...target }, paid.id));
await play('refund all', () => sdk.transactions.refunds.all.create(paid.id));
await play('refund all, with a reason', () =>
  sdk.transactions.refunds.all.create(byId.id, { reason: 'closed', externalIdentifier: 'back-2' }));
await play('refunds', () => sdk.transactions.refunds.list(paid.id));
await play('refund of a transaction', () => sdk.transactions.refunds.get(paid.id, part.id));
await play('refund by its id', () => sdk.refunds.get(part.id));
await play('void', () => sdk.transactions.void(paid.id));
await play('cancel', () => sdk.transactions.cancel(paid.id));

await play('delete', () => sdk.giftCards.delete(stored.id));
await play('get what is deleted', () => sdk.giftCards.get(stored.id));
await play('balances in the end', () => sdk.giftCards.balances.list({ items: [{ number, pin }] }));

for (const [name, event] of Object.entries(asked.events))
  await play(name, () => verifyWebhook(event.body, event.secret, event.signature, event.timestamp, 300));

process.stdout.write(JSON.stringify(told));
