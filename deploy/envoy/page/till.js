// A till in a browser: reads a balance, redeems, and confirms or reverses, by plain JSON through the door.
// Nothing is stored: a card's number and a token live in their fields and in the request, in no address.
"use strict";

const door = document.body.dataset.door;
const field = (id) => document.getElementById(id);
const say = (text) => { field("said").value = text; };

// The redemption that is asked for and not decided yet: its id, what was sent, and whether it was answered.
let open = null;

class Refused extends Error {
  constructor(status, answer) {
    super(answer.message ?? `HTTP ${status}`);
    this.status = status;
    this.details = answer.details ?? [];
  }
}

// Posts a request and returns the answer; throws Refused for an error, TypeError where there was no answer.
async function post(path, request) {
  const headers = { "content-type": "application/json" };
  if (field("token").value) headers.authorization = `Bearer ${field("token").value}`;
  const response = await fetch(door + path, { method: "POST", headers, body: JSON.stringify(request) });
  const text = await response.text();
  let answer;
  try { answer = JSON.parse(text); } catch { answer = { message: text }; }
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

// "12.50" as google.type.Money, exactly: a number of JavaScript never holds an amount.
function money(text, currencyCode) {
  const parts = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text.trim());
  if (!parts) throw new Error("The amount is written as 12.50.");
  const nanos = Number((parts[2] ?? "").padEnd(9, "0"));
  return { currencyCode, units: parts[1], ...(nanos ? { nanos } : {}) };
}

function written({ currencyCode, units = "0", nanos = 0 }) {
  const cents = String(Math.abs(nanos)).padStart(9, "0").replace(/0{1,7}$/, "");
  return `${nanos < 0 && !units.startsWith("-") ? "-" : ""}${units}.${cents} ${currencyCode}`;
}

function card() {
  const clearPin = field("pin").value;
  return { number: { pan: field("pan").value, ...(clearPin ? { clearPin } : {}) } };
}

async function balance() {
  const { cardBalance } = await post("/v1/cards:balance", { card: card() });
  say(`${cardBalance.maskedCard} has ${written(cardBalance.balances.available)}.`);
}

// The id is made before anything is sent, and kept while the outcome is open: the same press again asks for the same.
async function redeem() {
  open ??= {
    transactionId: crypto.randomUUID(),
    card: card(),
    amount: money(field("amount").value, field("currency").value),
  };
  try {
    show(await post("/v1/transactions:redeem", open));
  } catch (error) {
    const isOpen = !(error instanceof Refused) || error.status >= 500;
    if (!isOpen) open = null;
    throw isOpen ? new Error(`${error.message}. Whether money moved is not known: press Redeem again.`) : error;
  }
}

async function decide(how) {
  const { transactionId } = open;
  const reason = how === "reverse" ? { reason: "REVERSAL_REASON_CANCELLED" } : {};
  show(await post(`/v1/transactions/${transactionId}:${how}Redeem`, reason));
}

function show({ transaction }) {
  const state = transaction.state.replace("TRANSACTION_STATE_", "");
  const waits = state === "APPROVED";
  if (!waits && state !== "PENDING") open = null;
  field("confirm").disabled = field("reverse").disabled = !waits;
  const amount = transaction.approvedAmount ? ` ${written(transaction.approvedAmount)}` : "";
  say(`${state}${amount}${transaction.decline ? `: ${transaction.decline.reason}` : ""}`);
}

function tell(error) {
  const violations = error instanceof Refused ? error.details.flatMap((one) => one.fieldViolations ?? []) : [];
  say([error.message, ...violations.map((one) => `${one.field} ${one.description}`)].join("\n"));
}

for (const [id, act] of [
  ["balance", balance],
  ["redeem", redeem],
  ["confirm", () => decide("confirm")],
  ["reverse", () => decide("reverse")],
]) {
  field(id).addEventListener("click", () => {
    say("…");
    act().catch(tell);
  });
}
