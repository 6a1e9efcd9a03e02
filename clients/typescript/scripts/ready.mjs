// Installs what the lock file pins, unless just that is installed already.
import { execSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";

const installed = "node_modules/.package-lock.json";
const age = (path) => statSync(path).mtimeMs;
if (!existsSync(installed) || age(installed) < age("package-lock.json"))
    execSync("npm ci", { stdio: "inherit" });
