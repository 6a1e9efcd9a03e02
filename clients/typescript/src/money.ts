/**
 * Exact money: google.type.Money from decimal text or minor units, and back.
 *
 * Nothing here rounds, and nothing takes a fraction as a number. Which currencies there are is the gateway's to
 * say; only how many decimals they have is known here.
 */
import { create } from "@bufbuild/protobuf";
import { MoneySchema, type Money } from "./gen/google/type/money_pb.js";

const NANO_DIGITS = 9;
const NANOS = 10n ** BigInt(NANO_DIGITS);
const USUAL_DECIMALS = 2;
// Beyond the ninth, decimals are zeros.
const AMOUNT = /^(-?)([0-9]+)(?:\.([0-9]{1,9})0*)?$/;
const MOST_UNITS = 2n ** 63n - 1n;
// ISO 4217, the currencies that do not have two decimals.
const OTHER_DECIMALS: readonly [number, string][] = [
  [0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"],
  [3, "BHD IQD JOD KWD LYD OMR TND"],
  [4, "CLF UYW"],
];
const DECIMALS = new Map(
  OTHER_DECIMALS.flatMap(([decimals, codes]) => codes.split(" ").map((code) => [code, decimals] as const)),
);

/** Tells how many decimals a currency of ISO 4217 has; 2 for any other, which the gateway refuses. */
export function decimalsOf(currency: string): number {
  return DECIMALS.get(currency) ?? USUAL_DECIMALS;
}

/**
 * Makes money from major units as text: `toMoney("99.95", "ZAR")`.
 *
 * Throws TypeError for a number, which is not exact and does not say its units, and RangeError for text that is
 * no decimal number, has more than nine decimals, or does not fit into 64 bits.
 */
export function toMoney(amount: string, currency: string): Money {
  if (typeof amount !== "string") {
    throw new TypeError(`An amount is text such as "99.95", never a ${typeof amount}.`);
  }
  const [, sign, units = "", decimals = ""] = AMOUNT.exec(amount) ?? [];
  if (sign === undefined) {
    throw new RangeError('An amount is a decimal number such as "99.95", with at most nine decimals.');
  }
  const nanos = BigInt(units) * NANOS + BigInt(decimals.padEnd(NANO_DIGITS, "0"));
  return ofNanos(sign ? -nanos : nanos, currency);
}

/**
 * Makes money from minor units: `minorToMoney(9995, "ZAR")` is ZAR 99.95.
 *
 * Throws TypeError for what is no bigint and no safe integer, RangeError for what does not fit into 64 bits.
 */
export function minorToMoney(minor: bigint | number, currency: string): Money {
  if (typeof minor !== "bigint" && !Number.isSafeInteger(minor)) {
    throw new TypeError("Minor units are a bigint, or a number that is a safe integer.");
  }
  return ofNanos(BigInt(minor) * nanosPerMinor(currency), currency);
}

/** Returns the exact amount in major units as text, with at least the decimals its currency has. */
export function moneyToText(money: Money): string {
  const nanos = nanosOf(money);
  const sign = nanos < 0n ? "-" : "";
  const digits = (nanos < 0n ? -nanos : nanos).toString().padStart(NANO_DIGITS + 1, "0");
  const usual = decimalsOf(money.currencyCode);
  const decimals = digits.slice(-NANO_DIGITS);
  const shown = decimals.slice(0, usual) + decimals.slice(usual).replace(/0+$/, "");
  return `${sign}${digits.slice(0, -NANO_DIGITS)}${shown ? `.${shown}` : ""}`;
}

/** Returns the amount in minor units; throws RangeError if it is finer than the currency's decimals. */
export function moneyToMinor(money: Money): bigint {
  const nanos = nanosOf(money);
  const perMinor = nanosPerMinor(money.currencyCode);
  if (nanos % perMinor !== 0n) {
    throw new RangeError(`This amount is finer than the minor unit of ${money.currencyCode}.`);
  }
  return nanos / perMinor;
}

function nanosPerMinor(currency: string): bigint {
  return 10n ** BigInt(NANO_DIGITS - decimalsOf(currency));
}

function nanosOf(money: Money): bigint {
  return money.units * NANOS + BigInt(money.nanos);
}

/** Splits nano-units as google.type.Money wants it: units and nanos of one sign. */
function ofNanos(nanos: bigint, currency: string): Money {
  const units = nanos / NANOS;
  if (units > MOST_UNITS || units < -MOST_UNITS - 1n) {
    throw new RangeError("An amount has at most 64 bits of units.");
  }
  return create(MoneySchema, { currencyCode: currency, units, nanos: Number(nanos % NANOS) });
}
