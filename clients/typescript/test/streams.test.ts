import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { CallError, Client, pages, v1 } from "@giftcardgateway/client";
import { FakeGateway, type StreamEnd } from "@giftcardgateway/client/testing";
import { Clock } from "./clock.js";
import { eachCase } from "./vectors.js";

interface StreamCase {
  readonly name: string;
  readonly call: "WatchTransactions" | "StreamEvents";
  readonly start: string;
  readonly attempts: number;
  readonly streams: readonly { readonly tells: readonly string[]; readonly ends: string }[];
  readonly asked: readonly string[];
  readonly given: readonly string[];
  readonly raises: string | null;
}

const CODES: Record<string, Code> = {
  UNAVAILABLE: Code.Unavailable,
  INTERNAL: Code.Internal,
  PERMISSION_DENIED: Code.PermissionDenied,
  RESOURCE_EXHAUSTED: Code.ResourceExhausted,
};

function codeOf(name: string): Code {
  const code = CODES[name];
  assert.ok(code, name);
  return code;
}

function endOf(name: string): StreamEnd {
  return name === "OK" ? "ends" : name === "OPEN" ? "stays open" : codeOf(name);
}

/** A fake gateway, and a client of it that waits by a clock of its own. */
function setUp(attempts = 8): { gateway: FakeGateway; client: Client; clock: Clock } {
  const gateway = new FakeGateway();
  const clock = new Clock();
  return { gateway, client: new Client(gateway.transport, { policy: { ...clock.policy, attempts } }), clock };
}

eachCase<StreamCase>("streams", async (one) => {
  const { gateway, client } = setUp(one.attempts);
  for (const { tells, ends } of one.streams) {
    gateway.stream(
      one.call,
      tells.map((cursor) => ({ cursor })),
      endOf(ends),
    );
  }
  const request = one.start ? { start: { case: "cursor" as const, value: one.start } } : {};
  const stream = one.call === "StreamEvents" ? client.watchEvents(request) : client.watch(request);
  const given: string[] = [];
  let raised: string | null = null;
  try {
    for await (const { cursor } of stream) {
      given.push(cursor);
      if (given.length === one.given.length && one.raises === null) break;
    }
  } catch (error) {
    assert.ok(error instanceof CallError);
    raised = error.code;
  }
  assert.deepEqual(given, one.given);
  assert.equal(raised, one.raises);
  const asked = gateway.seen.map((seen) => {
    const { start } = seen as v1.WatchTransactionsRequest;
    return start.case === "startTime" ? "TIME" : (start.value ?? "");
  });
  assert.deepEqual(asked, one.asked);
});

test("Pauses grow to their limit, and what was told something begins anew", async () => {
  const { gateway, client, clock } = setUp();
  gateway.stream("WatchTransactions", [], Code.Unavailable);
  gateway.stream("WatchTransactions", [], Code.Unavailable);
  gateway.stream("WatchTransactions", [{ cursor: "a" }], "ends");
  gateway.stream("WatchTransactions", [{ cursor: "b" }]);
  for await (const { cursor } of client.watch()) if (cursor === "b") break;
  assert.deepEqual(clock.pauses, [100, 200, 100]);
});

test("An aborted stream ends with an error, while it is open and while an outage is waited out", async () => {
  for (const end of ["stays open", Code.Unavailable] as const) {
    const { gateway, client } = setUp();
    const controller = new AbortController();
    gateway.stream("WatchTransactions", [{ cursor: "a" }], end);
    const stream = client.watch({}, { signal: controller.signal });
    await stream.next();
    controller.abort();
    await assert.rejects(stream.next(), CallError);
    assert.equal(gateway.calls.length, 1);
  }
});

test("Every page of a list comes, an empty one too, with the fields of the first request", async () => {
  const { gateway, client } = setUp();
  for (const nextPageToken of ["two", "three", ""]) gateway.answer("ListTransactions", { nextPageToken });
  let count = 0;
  for await (const page of pages(client.transactions.listTransactions, { pageSize: 7 })) {
    assert.ok("transactions" in page);
    count++;
  }
  assert.equal(count, 3);
  const asked = gateway.seen.map((seen) => {
    const { pageSize, pageToken } = seen as v1.ListTransactionsRequest;
    return [pageSize, pageToken];
  });
  assert.deepEqual(asked, [
    [7, ""],
    [7, "two"],
    [7, "three"],
  ]);
  gateway.fail("ListTransactions", Code.InvalidArgument, "FIELD_INVALID");
  await assert.rejects(pages(client.transactions.listTransactions, {}).next(), CallError);
});
