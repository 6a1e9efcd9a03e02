/** How things of this package print themselves: in Node's console and inspector, and in texts. */

const INSPECT = Symbol.for("nodejs.util.inspect.custom");
// The gateway keeps card numbers out of its texts; a proxy between might not.
const CARD_NUMBER = /\d{13,19}/g;

type Inspect = (value: unknown, options: object) => string;
type Print = (inspect: (value: unknown) => string) => string;

/** Hides what could be a card's number in a text. */
export function hideCardNumbers(text: string): string {
  return text.replace(CARD_NUMBER, "****");
}

/** Has Node print an object as this says, and nothing of its properties. */
export function inspectWith(target: object, print: Print): void {
  Object.defineProperty(target, INSPECT, {
    value: (_depth: number, options: object, inspect: Inspect) => print((value) => inspect(value, options)),
    configurable: true,
  });
}
