package example.giftcardgateway.giftcard;

import com.google.type.Money;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Exact money for requests and answers: {@code google.type.Money} from text, {@link BigDecimal} or
 * minor units, and back. Nothing here rounds, and nothing takes a float.
 */
public final class Moneys {

  private static final int NANO_DIGITS = 9;
  private static final int UNIT_DIGITS = 19;
  private static final int USUAL_DECIMALS = 2;
  private static final Pattern AMOUNT = Pattern.compile("-?[0-9]+(\\.[0-9]+)?");
  // ISO 4217, the currencies that do not have two decimals. java.util.Currency lacks some, and
  // tells
  // decimals of currencies that are no more.
  private static final Map<String, Integer> DECIMALS = new HashMap<>();

  static {
    List.of(
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
            "VND", "VUV", "XAF", "XOF", "XPF")
        .forEach(currency -> DECIMALS.put(currency, 0));
    List.of("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
        .forEach(currency -> DECIMALS.put(currency, 3));
    List.of("CLF", "UYW").forEach(currency -> DECIMALS.put(currency, 4));
  }

  private Moneys() {}

  /** Tells how many decimals a currency has; 2 for one that is not of ISO 4217. */
  public static int decimals(String currency) {
    return DECIMALS.getOrDefault(currency, USUAL_DECIMALS);
  }

  /**
   * Makes money from major units: {@code of("99.95", "ZAR")}.
   *
   * @param amount digits, with a point and at most nine decimals
   * @throws IllegalArgumentException for any other text, or units beyond 64 bits
   */
  public static Money of(String amount, String currency) {
    if (!AMOUNT.matcher(amount).matches()) {
      throw new IllegalArgumentException(
          "An amount is digits with at most nine decimals, such as 99.95.");
    }
    return of(new BigDecimal(amount), currency);
  }

  /**
   * Makes money from major units.
   *
   * @throws IllegalArgumentException for more than nine decimals, or units beyond 64 bits
   */
  public static Money of(BigDecimal amount, String currency) {
    if (amount.precision() - (long) amount.scale() > UNIT_DIGITS) {
      // Before any arithmetic: 1e999999999 takes all memory to write out.
      throw new IllegalArgumentException("An amount has units of 64 bits.");
    }
    try {
      var units = amount.setScale(0, RoundingMode.DOWN);
      var nanos = amount.subtract(units).movePointRight(NANO_DIGITS);
      return Money.newBuilder()
          .setCurrencyCode(currency)
          .setUnits(units.longValueExact())
          .setNanos(nanos.intValueExact())
          .build();
    } catch (ArithmeticException inexact) {
      throw new IllegalArgumentException(
          "An amount has units of 64 bits, and at most nine decimals.", inexact);
    }
  }

  /** Makes money from minor units: {@code ofMinor(9995, "ZAR")} is ZAR 99.95. */
  public static Money ofMinor(long amountMinor, String currency) {
    return of(BigDecimal.valueOf(amountMinor, decimals(currency)), currency);
  }

  /** Returns the exact amount in major units, with at least the decimals its currency has. */
  public static BigDecimal toBigDecimal(Money money) {
    var exact =
        BigDecimal.valueOf(money.getUnits())
            .add(BigDecimal.valueOf(money.getNanos(), NANO_DIGITS))
            .stripTrailingZeros();
    var decimals = decimals(money.getCurrencyCode());
    return exact.scale() < decimals ? exact.setScale(decimals, RoundingMode.UNNECESSARY) : exact;
  }

  /** Prints the amount in major units, such as {@code 5.00}, without its currency. */
  public static String toText(Money money) {
    return toBigDecimal(money).toPlainString();
  }
}
