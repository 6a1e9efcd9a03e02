package giftcard

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/type/money"
)

const (
	nanoDigits    = 9
	nanosPerUnit  = 1_000_000_000
	usualDecimals = 2
)

// decimals of ISO 4217, of the currencies that do not have two.
var decimals = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
	"RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

var amountText = regexp.MustCompile(`^(-?)([0-9]+)(?:\.([0-9]+))?$`)

// DecimalsOf tells how many decimals a currency of ISO 4217 has; 2 for any other, which the gateway refuses.
func DecimalsOf(currency string) int {
	if known, ok := decimals[currency]; ok {
		return known
	}
	return usualDecimals
}

// ParseMoney makes money from major units in decimal digits: ParseMoney("99.95", "ZAR"). It takes at most
// nine decimals and never rounds.
func ParseMoney(amount, currency string) (*money.Money, error) {
	parts := amountText.FindStringSubmatch(amount)
	if parts == nil {
		return nil, errors.New("giftcard: an amount is written in digits, such as 99.95")
	}
	sign, whole, fraction := parts[1], parts[2], strings.TrimRight(parts[3], "0")
	if len(fraction) > nanoDigits {
		return nil, errors.New("giftcard: an amount has at most nine decimals")
	}
	units, err := strconv.ParseInt(sign+whole, 10, 64)
	if err != nil {
		return nil, errors.New("giftcard: an amount has at most 64 bits of whole units")
	}
	nanos, err := strconv.ParseInt(sign+fraction+strings.Repeat("0", nanoDigits-len(fraction)), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("giftcard: an amount's decimals: %w", err)
	}
	return &money.Money{CurrencyCode: currency, Units: units, Nanos: int32(nanos)}, nil
}

// MinorMoney makes money from minor units: MinorMoney(9995, "ZAR") is ZAR 99.95.
func MinorMoney(amountMinor int64, currency string) *money.Money {
	perUnit, nanosPerMinor := int64(1), int64(nanosPerUnit)
	for range DecimalsOf(currency) {
		perUnit *= 10
		nanosPerMinor /= 10
	}
	return &money.Money{
		CurrencyCode: currency,
		Units:        amountMinor / perUnit,
		Nanos:        int32(amountMinor % perUnit * nanosPerMinor),
	}
}

// FormatMoney returns the exact amount in major units, without the currency's code, with at least the
// decimals the currency has. An amount that is not there gives an empty text.
func FormatMoney(amount *money.Money) string {
	if amount == nil {
		return ""
	}
	nanos := new(big.Int).Mul(big.NewInt(amount.GetUnits()), big.NewInt(nanosPerUnit))
	nanos.Add(nanos, big.NewInt(int64(amount.GetNanos())))
	sign := ""
	if nanos.Sign() < 0 {
		sign = "-"
	}
	digits := nanos.Abs(nanos).String()
	digits = strings.Repeat("0", max(0, nanoDigits+1-len(digits))) + digits
	whole, fraction := digits[:len(digits)-nanoDigits], digits[len(digits)-nanoDigits:]
	kept := DecimalsOf(amount.GetCurrencyCode())
	fraction = fraction[:max(kept, len(strings.TrimRight(fraction, "0")))]
	return sign + joined(".", whole, fraction)
}
