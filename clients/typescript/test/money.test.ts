import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { MoneySchema, minorToMoney, moneyToMinor, moneyToText, toMoney } from "@giftcardgateway/client";
import { eachCase } from "./vectors.js";

interface MoneyCase {
  readonly name: string;
  readonly from: "text" | "minor" | "money";
  readonly amount: string;
  readonly currency: string;
  readonly units: string;
  readonly nanos: number;
  readonly text: string;
  readonly bad?: boolean;
}

eachCase<MoneyCase>("money", (one) => {
  const { from, amount, currency, units, nanos } = one;
  if (from === "money") {
    const money = create(MoneySchema, { units: BigInt(units), nanos, currencyCode: currency });
    assert.equal(moneyToText(money), one.text);
    return;
  }
  const make = (): unknown =>
    from === "text" ? toMoney(amount, currency) : minorToMoney(BigInt(amount), currency);
  if (one.bad) {
    assert.throws(make);
    return;
  }
  const expected = create(MoneySchema, { units: BigInt(units), nanos, currencyCode: currency });
  assert.deepEqual(make(), expected);
});

test("A number is no amount, and a fraction no minor units", () => {
  assert.throws(() => toMoney(99.95 as unknown as string, "ZAR"), TypeError);
  assert.throws(() => minorToMoney(99.5, "ZAR"), TypeError);
  assert.throws(() => minorToMoney(Number.MAX_SAFE_INTEGER + 1, "ZAR"), TypeError);
});

test("Minor units come back as they went, and what is finer is refused", () => {
  for (const currency of ["JPY", "ZAR", "KWD", "CLF"]) {
    assert.equal(moneyToMinor(minorToMoney(-1234n, currency)), -1234n);
  }
  assert.throws(() => moneyToMinor(toMoney("0.001", "ZAR")), RangeError);
});
