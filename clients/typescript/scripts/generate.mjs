// Makes the stubs in src/gen from the contract: protobuf-es by buf, one index of all, and the service config.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";

const MADE = "// Made by scripts/generate.mjs from ../../protos; do not edit.\n\n";
const buf = process.platform === "win32" ? "buf.cmd" : "buf";
execFileSync(`node_modules/.bin/${buf}`, ["generate"], {
    stdio: "inherit",
    shell: process.platform === "win32",
});

const stubs = readdirSync("src/gen/giftcard/v1").sort();
const lines = stubs.map((file) => `export * from "./giftcard/v1/${file.replace(/\.ts$/, ".js")}";`);
writeFileSync("src/gen/v1.ts", `${MADE}${lines.join("\n")}\n`);

// As a module, because not every bundler takes JSON.
const config = readFileSync("../../protos/grpc_service_config.json", "utf8").trim();
writeFileSync("src/gen/service-config.ts", `${MADE}export const serviceConfig = ${config} as const;\n`);
