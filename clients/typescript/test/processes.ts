/** Running programs of Node's. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Runs a script with Node and gives what it printed; throws with all it printed if it fails. */
export async function runNode(...args: string[]): Promise<string> {
  // A test runner within a test runner would report to the outer one, and print nothing.
  const env = { ...process.env };
  delete env["NODE_TEST_CONTEXT"];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { env, timeout: 120_000 });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${args.join(" ")}:\n${stdout ?? ""}${stderr ?? ""}`, { cause: error });
  }
}
