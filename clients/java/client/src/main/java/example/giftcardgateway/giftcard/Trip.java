package example.giftcardgateway.giftcard;

import io.grpc.Attributes;
import io.grpc.ClientStreamTracer;
import io.grpc.Metadata;

/**
 * What gRPC tells of the attempts at one call: its own repeats too, of which the error tells the
 * last alone.
 */
final class Trip extends ClientStreamTracer.Factory {

  private volatile boolean isBegun;
  private volatile boolean isSent;

  /**
   * Whether no attempt came onto a connection, so that nobody can have done anything. Of a channel
   * that is not gRPC's own nobody tells.
   */
  boolean isUnsent() {
    return isBegun && !isSent;
  }

  @Override
  public ClientStreamTracer newClientStreamTracer(
      ClientStreamTracer.StreamInfo info, Metadata headers) {
    isBegun = true;
    return new ClientStreamTracer() {
      @Override
      public void streamCreated(Attributes transport, Metadata headers) {
        isSent = true;
      }
    };
  }
}
