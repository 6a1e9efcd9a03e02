import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { type JsonValue, type Message, create, fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import { AnySchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { card, protect, redact, registry, toJson, toMoney, v1 } from "@giftcardgateway/client";
import { eachCase } from "./vectors.js";

interface MessageCase {
  readonly name: string;
  readonly type: string;
  readonly bytes: string;
  readonly json: JsonValue;
  readonly secrets: readonly string[];
  readonly shown: readonly string[];
  readonly unknown?: { readonly path: readonly string[]; readonly number: number };
}

eachCase<MessageCase>("messages", (one) => {
  const schema = registry.getMessage(one.type);
  assert.ok(schema);
  const message = fromBinary(schema, Buffer.from(one.bytes, "base64"));
  assert.deepEqual(toJson(message), toJson(fromJson(schema, one.json, { registry })));
  if (one.unknown) assert.equal(at(message, one.unknown.path), one.unknown.number);
  const redacted = JSON.stringify(redact(message));
  for (const shown of one.shown) assert.ok(redacted.includes(shown), `${shown} is not shown.`);
  protect(message);
  for (const secret of one.secrets) {
    for (const text of [redacted, ...ordinaryPrints(message)]) {
      assert.ok(!text.includes(secret), "A secret is shown.");
    }
  }
});

test("A message with Money can be written as JSON, which its bare stub cannot", () => {
  const amount = toMoney("9007199254740993.01", "ZAR");
  const bare = create(v1.RedeemRequestSchema, { amount });
  assert.throws(() => JSON.stringify(bare), TypeError);
  const expected = { amount: { currencyCode: "ZAR", units: "9007199254740993", nanos: 10_000_000 } };
  assert.deepEqual(JSON.parse(JSON.stringify(protect(bare))), expected);
  assert.deepEqual(toJson(bare), expected);
});

test("Redacting leaves the message itself as it is", () => {
  const message = create(v1.BalanceRequestSchema, { card: card("6045000000000061") });
  assert.deepEqual(redact(message), { card: { number: { pan: "[REDACTED]" } } });
  assert.deepEqual(toJson(message), { card: { number: { pan: "6045000000000061" } } });
});

test("A card made by its number never shows it, wherever it stands", () => {
  for (const text of ordinaryPrints({ deep: { card: card("6045000000000061") } })) {
    assert.ok(!text.includes("6045000000000061"));
  }
  assert.throws(() => card(6045000000000061 as unknown as string), TypeError);
});

test("What is packed is redacted too, and shown only if it is of a known type", () => {
  const secret = create(v1.BalanceRequestSchema, { card: card("6045000000000061") });
  const details = [
    { typeUrl: "type.googleapis.com/giftcard.v1.BalanceRequest", value: bytesOf(secret) },
    { typeUrl: "type.googleapis.com/unknown.Type", value: new TextEncoder().encode("6045000000000061") },
    { typeUrl: "type.googleapis.com/giftcard.v1.BalanceRequest", value: new Uint8Array([255]) },
  ];
  const text = JSON.stringify(details.map((each) => redact(create(AnySchema, each))));
  assert.ok(!text.includes("6045000000000061"));
  assert.ok(text.includes("[REDACTED]"));
});

test("A message that has no proto3 JSON is printed all the same, as no more than its name", () => {
  const broken = create(TimestampSchema, { seconds: 2n ** 60n });
  assert.deepEqual(redact(broken), { unprintable: "google.protobuf.Timestamp" });
});

/** What a message prints as when nobody thinks of it. */
function ordinaryPrints(value: object): string[] {
  return [JSON.stringify(value), inspect(value, { depth: 10 }), inspect({ value }, { depth: 10 })];
}

function bytesOf(message: Message): Uint8Array {
  const schema = registry.getMessage(message.$typeName);
  assert.ok(schema);
  return toBinary(schema, message);
}

/** Reads a field by its path in JSON. */
function at(message: Message, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], message);
}
