//! How what must not be shown is kept out of `Debug` and of texts, and what has a name is shown by it.

use std::fmt;

/// The shortest run of digits that may be a card number; the gateway keeps those out of its texts, a proxy
/// may not.
const CARD_DIGITS: usize = 13;

/// A secret text: shown to be filled or empty, and no more.
pub(crate) struct Secret<'a>(pub(crate) &'a str);

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "[REDACTED]" })
    }
}

/// The number of an enum's value: shown by its name, or as it is where this release knows none.
pub(crate) struct Number<T, E>(pub(crate) i32, pub(crate) Result<T, E>);

impl<T: fmt::Debug, E> fmt::Debug for Number<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.1 {
            Ok(name) => name.fmt(f),
            Err(_) => self.0.fmt(f),
        }
    }
}

/// Hide whatever has as many digits in a row as a card number.
pub(crate) fn without_card_numbers(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(char::is_numeric) {
        let length = rest[start..].find(|letter: char| !letter.is_numeric());
        let end = length.map_or(rest.len(), |length| start + length);
        shown.push_str(&rest[..start]);
        let run = &rest[start..end];
        shown.push_str(if run.chars().count() < CARD_DIGITS { run } else { "****" });
        rest = &rest[end..];
    }
    shown + rest
}
