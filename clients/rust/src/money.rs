//! Exact money: `google.type.Money` from decimal text or minor units, and back.
//!
//! Nothing here rounds, and nothing takes a float. Which currencies there are is the gateway's to say;
//! only how many decimals they have is known here.

use std::fmt;

use crate::google::r#type::Money;

const NANO_DIGITS: u32 = 9;
const NANOS_PER_UNIT: i128 = 10_i128.pow(NANO_DIGITS);
// ISO 4217, the currencies that do not have two decimals.
const NO_DECIMALS: [&str; 17] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
    "XOF", "XPF",
];
const THREE_DECIMALS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
const FOUR_DECIMALS: [&str; 2] = ["CLF", "UYW"];

/// Tell how many decimals a currency of ISO 4217 has; 2 for any other, which the gateway refuses.
#[must_use]
pub fn decimals_of(currency: &str) -> u32 {
    if NO_DECIMALS.contains(&currency) {
        0
    } else if THREE_DECIMALS.contains(&currency) {
        3
    } else if FOUR_DECIMALS.contains(&currency) {
        4
    } else {
        2
    }
}

/// What was given is no exact amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadAmount {
    /// The text is no decimal number such as `99.95`.
    NotDecimal,
    /// It has more than nine decimals.
    TooFine,
    /// Its whole units are beyond 64 bits.
    TooLarge,
    /// Its nanos are beyond one unit, or of another sign than its units.
    Malformed,
    /// It is no whole number of the currency's minor units.
    NoMinorUnits,
}

impl fmt::Display for BadAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDecimal => "An amount is a decimal number, such as '99.95'.",
            Self::TooFine => "An amount has at most nine decimals.",
            Self::TooLarge => "The whole units of an amount fit into 64 bits.",
            Self::Malformed => "The nanos of an amount are below one unit, and of its units' sign.",
            Self::NoMinorUnits => "The amount is no whole number of its currency's minor units.",
        })
    }
}

impl std::error::Error for BadAmount {}

impl Money {
    /// Make money from major units as decimal text: `Money::parse("99.95", "ZAR")`.
    ///
    /// # Errors
    /// [`BadAmount`] for anything but digits with at most nine decimals, and for units beyond 64 bits.
    pub fn parse(amount: &str, currency: &str) -> Result<Self, BadAmount> {
        let (is_negative, digits) = match amount.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, amount),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(BadAmount::NotDecimal);
        }
        let width = NANO_DIGITS as usize;
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > width {
            return Err(BadAmount::TooFine);
        }
        let sign = if is_negative { -1 } else { 1 };
        // The sign goes in before the check: the lowest units have no positive counterpart.
        let units: i128 = whole.parse().map_err(|_| BadAmount::TooLarge)?;
        let nanos: i32 = format!("{fraction:0<width$}").parse().map_err(|_| BadAmount::TooFine)?;
        Ok(Self {
            currency_code: currency.to_owned(),
            units: i64::try_from(sign * units).map_err(|_| BadAmount::TooLarge)?,
            nanos: if is_negative { -nanos } else { nanos },
        })
    }

    /// Make money from minor units: `Money::from_minor(9995, "ZAR")` is ZAR 99.95.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "what is left of a unit is less than a unit")]
    pub fn from_minor(amount_minor: i64, currency: &str) -> Self {
        let per_unit = 10_i64.pow(decimals_of(currency));
        let nanos_per_minor = 10_i64.pow(NANO_DIGITS - decimals_of(currency));
        Self {
            currency_code: currency.to_owned(),
            units: amount_minor / per_unit,
            nanos: (amount_minor % per_unit * nanos_per_minor) as i32,
        }
    }

    /// Write the exact amount in major units, with the decimals its currency has, and more only where it
    /// needs them.
    ///
    /// # Errors
    /// [`BadAmount::Malformed`] if it is no money at all.
    pub fn to_text(&self) -> Result<String, BadAmount> {
        let nanos = self.nanos_in_all()?;
        let sign = if nanos < 0 { "-" } else { "" };
        let (units, rest) = (nanos.abs() / NANOS_PER_UNIT, nanos.abs() % NANOS_PER_UNIT);
        let mut fraction = format!("{rest:09}");
        let least = decimals_of(&self.currency_code) as usize;
        while fraction.len() > least && fraction.ends_with('0') {
            fraction.pop();
        }
        let point = if fraction.is_empty() { "" } else { "." };
        Ok(format!("{sign}{units}{point}{fraction}"))
    }

    /// Read the exact amount in minor units.
    ///
    /// # Errors
    /// [`BadAmount`] if it is finer than the currency's minor units, beyond 64 bits, or no money at all.
    pub fn to_minor(&self) -> Result<i64, BadAmount> {
        let nanos = self.nanos_in_all()?;
        let per_minor = 10_i128.pow(NANO_DIGITS - decimals_of(&self.currency_code));
        if nanos % per_minor != 0 {
            return Err(BadAmount::NoMinorUnits);
        }
        i64::try_from(nanos / per_minor).map_err(|_| BadAmount::TooLarge)
    }

    fn nanos_in_all(&self) -> Result<i128, BadAmount> {
        let (units, nanos) = (i128::from(self.units), i128::from(self.nanos));
        if nanos.abs() >= NANOS_PER_UNIT || units * nanos < 0 {
            return Err(BadAmount::Malformed);
        }
        Ok(units * NANOS_PER_UNIT + nanos)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
