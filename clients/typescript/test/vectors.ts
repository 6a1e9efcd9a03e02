/** The cases that every language's package passes, from clients/vectors. */
import { readFileSync } from "node:fs";
import { test } from "node:test";

/** Runs every case of a file as a test of its own; a file without cases is an error. */
export function eachCase<Case extends { readonly name: string }>(
  file: string,
  check: (one: Case) => unknown,
): void {
  const { cases } = read<Case>(file);
  if (cases.length === 0) throw new Error(`${file} has no cases.`);
  for (const one of cases) {
    test(`${file}: ${one.name}`, async () => {
      await check(one);
    });
  }
}

/** Reads the cases of a file. */
export function read<Case>(file: string): { readonly cases: readonly Case[] } {
  // From build/test, where the tests are run.
  const path = new URL(`../../../vectors/${file}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, "utf8")) as { cases: Case[] };
}
