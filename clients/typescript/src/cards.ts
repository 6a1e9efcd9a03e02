/** Naming a card in a request by its number, without showing it when it is printed. */
import { type MessageInitShape, create } from "@bufbuild/protobuf";
import { type Card, type CardNumberSchema, CardSchema } from "./gen/giftcard/v1/card_pb.js";
import { protect } from "./redact.js";

/** What goes with a card's number: `expiry` as `YYMM`, `pinForm` as `{ case: "clearPin", value: "1234" }`. */
export type CardExtras = Omit<MessageInitShape<typeof CardNumberSchema>, "$typeName" | "$unknown" | "pan">;

/**
 * Names a card by its number of 1 to 32 letters and digits. For the other ways of naming one, such as a redemption
 * key, write `card: { reference: { case: "redemptionKey", value } }`.
 */
export function card(pan: string, extras: CardExtras = {}): Card {
  if (typeof pan !== "string") throw new TypeError("A card's number is text: leading zeros count.");
  return protect(create(CardSchema, { reference: { case: "number", value: { ...extras, pan } } }));
}
