import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runNode } from "./processes.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const PORTABLE = ["index", "web", "testing"];

test("What browsers load imports nothing of Node's", () => {
  const seen = new Set<string>();
  const outside = new Set<string>();
  const follow = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const [, name = ""] of readFileSync(path, "utf8").matchAll(/\bfrom\s*"([^"]+)"/g)) {
      if (name.startsWith(".")) follow(join(dirname(path), name));
      else outside.add(name);
    }
  };
  for (const entry of PORTABLE) follow(join(root, "dist", `${entry}.js`));
  assert.ok(seen.size > 20);
  assert.deepEqual([...outside].sort(), [
    "@bufbuild/protobuf",
    "@bufbuild/protobuf/codegenv2",
    "@bufbuild/protobuf/reflect",
    "@bufbuild/protobuf/wkt",
    "@connectrpc/connect",
    "@connectrpc/connect-web",
  ]);
});

test("Every entry point has its code and its types", () => {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    exports: Record<string, string | Record<string, string>>;
  };
  const files = Object.values(exports).flatMap((entry) =>
    typeof entry === "string" ? entry : Object.values(entry),
  );
  assert.equal(files.length, 9);
  for (const file of files) assert.ok(existsSync(join(root, file)), file);
});

const browser = { lib: ["ES2022", "DOM"], types: [], module: "ESNext", moduleResolution: "Bundler" };
// Connect's own types are of the DOM, which every project has that does not say otherwise.
const node = { lib: ["ES2022", "DOM"], types: ["node"], module: "NodeNext" };

for (const [name, options, entries] of [
  ["a browser's bundler", browser, PORTABLE],
  ["Node", node, ["index", "node", "testing"]],
] as const) {
  test(`The types are whole for a project for ${name}, which checks those of its libraries too`, async () => {
    const folder = join(root, "build", "consumer", entries[1]);
    mkdirSync(folder, { recursive: true });
    const lines = entries.map((entry) => `export * as ${entry} from "../../../dist/${entry}.js";\n`);
    writeFileSync(join(folder, "index.ts"), lines.join(""));
    const compilerOptions = { ...options, strict: true, noEmit: true, skipLibCheck: false, target: "ES2022" };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
    await runNode(join(root, "node_modules/typescript/bin/tsc"), "-p", folder);
  });
}
