import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runNode } from "./processes.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, "build", "readme");

test("Every snippet of the README compiles, and those that need no gateway run", async () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const snippets = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, snippet = ""]) => snippet);
  assert.ok(snippets.length > 4);
  rmSync(folder, { force: true, recursive: true });
  mkdirSync(folder, { recursive: true });
  snippets.forEach((snippet, index) => {
    writeFileSync(join(folder, `snippet-${index}.ts`), snippet);
  });
  const options = { rootDir: ".", noEmit: false };
  const config = { extends: "../../tsconfig.json", compilerOptions: options, include: ["*.ts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  await runNode(join(root, "node_modules/typescript/bin/tsc"), "-p", folder);
  for (const [index, snippet] of snippets.entries()) {
    const isAlone = !snippet.includes("client/node") && !snippet.includes("client/web");
    if (isAlone) await runNode(join(folder, `snippet-${index}.js`));
  }
});
