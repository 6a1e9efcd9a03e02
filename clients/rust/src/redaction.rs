//! How the generated `Debug` shows what must not be shown, and what has a name.

use std::fmt;

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
