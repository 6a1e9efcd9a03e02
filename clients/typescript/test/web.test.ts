import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { newTransactionId } from "@giftcardgateway/client";
import { FakeGateway } from "@giftcardgateway/client/testing";
import { connect } from "@giftcardgateway/client/web";

for (const protocol of ["grpc-web", "connect"] as const) {
  test(`${protocol}: over fetch a redemption is held, and errors keep their details`, async () => {
    const gateway = new FakeGateway();
    const server = createServer(
      connectNodeAdapter({
        routes: (router) => {
          gateway.routes(router);
        },
      }),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { protocol });
      await client.redemption({ transactionId: newTransactionId() }, () => undefined);
      gateway.fail("Balance", Code.FailedPrecondition, "PROVIDER_REFUSED");
      await assert.rejects(client.giftCards.balance({}), { kind: "Conflict", reason: "PROVIDER_REFUSED" });
      assert.deepEqual(gateway.calls, ["Redeem", "ConfirmRedeem", "Balance"]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
}
