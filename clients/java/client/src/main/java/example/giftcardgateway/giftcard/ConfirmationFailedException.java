package example.giftcardgateway.giftcard;

/** A confirmation was lost or refused. This is no failed payment: the goods may be gone. */
public final class ConfirmationFailedException extends GiftcardException {

  private static final long serialVersionUID = 1L;

  private final CallException failure;

  ConfirmationFailedException(CallException failure) {
    super(
        failure.getMessage().replaceFirst("\\.$", "")
            + ". "
            + NextSteps.afterConfirmation(failure.kind()),
        failure,
        failure.about());
    this.failure = failure;
  }

  /** What ended the confirmation; the cause, too. */
  public CallException failure() {
    return failure;
  }

  /** Whether the confirmation may have arrived all the same. */
  public boolean isOutcomeOpen() {
    return failure.isOutcomeOpen();
  }

  @Override
  public String nextStep() {
    return NextSteps.afterConfirmation(failure.kind());
  }
}
