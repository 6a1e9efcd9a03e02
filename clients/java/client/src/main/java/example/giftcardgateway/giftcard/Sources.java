package example.giftcardgateway.giftcard;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors.CheckedForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusException;
import java.util.Objects;
import java.util.function.Supplier;

/** What goes beside every call as metadata, the token among it: asked before each attempt. */
final class Sources implements ClientInterceptor {

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final Supplier<Metadata> source;

  Sources(Supplier<Metadata> source) {
    this.source = source;
  }

  /** What gives the token or the metadata failed, which is the cause; nothing was sent. */
  static final class SourceFailed extends Exception {
    private static final long serialVersionUID = 1L;

    SourceFailed(RuntimeException cause) {
      super(cause);
    }
  }

  /** Makes a source of a bearer token. */
  static Sources ofToken(Supplier<String> token) {
    return new Sources(
        () -> {
          var metadata = new Metadata();
          metadata.put(AUTHORIZATION, "Bearer " + Objects.requireNonNull(token.get(), "token"));
          return metadata;
        });
  }

  @Override
  public <Q, A> ClientCall<Q, A> interceptCall(
      MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
    return new CheckedForwardingClientCall<>(next.newCall(method, options)) {
      @Override
      protected void checkedStart(Listener<A> listener, Metadata headers) throws StatusException {
        try {
          headers.merge(source.get());
        } catch (RuntimeException failure) {
          // Wrapped, so that a gRPC failure of the source is not taken for one of the call.
          throw Status.UNAVAILABLE.withCause(new SourceFailed(failure)).asException();
        }
        delegate().start(listener, headers);
      }
    };
  }
}
