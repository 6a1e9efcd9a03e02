//! How long a call may take, and what may be repeated.
//!
//! Repeating is safe because it is always the same request with the same transaction id: the gateway moves
//! the money of one id once, however often it is asked. Nothing is repeated that the gateway refused.

use std::time::Duration;

use crate::calls::Phase;
use crate::errors::{CallError, Kind};

/// What no time is reckoned beyond.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long a money call may take, and how it is repeated.
///
/// Pauses grow from `first_pause` to `longest_pause` at most, each a random part of that ("full jitter"), so
/// that many callers do not come back at once; the gateway's own `RetryInfo` is never undercut.
#[derive(Clone, Debug)]
pub struct RepeatPolicy {
    /// The budget of one call: all attempts, all pauses, and finding out how a lost one ended.
    pub deadline: Duration,
    /// The deadline of a read; `None` leaves it to the contract's service config.
    pub reading: Option<Duration>,
    /// How often a money call is made at most.
    pub attempts: u32,
    /// What the pause after the first attempt is a random part of.
    pub first_pause: Duration,
    /// What no pause is longer than, unless the gateway asks for more.
    pub longest_pause: Duration,
    /// Chance, as a number from 0 to 1; tests give their own.
    pub chance: fn() -> f64,
}

impl Default for RepeatPolicy {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(40),
            reading: None,
            attempts: 8,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
            chance: fastrand::f64,
        }
    }
}

impl RepeatPolicy {
    /// Say how long to wait after an attempt, counted from 0, that ended with an error.
    #[must_use]
    pub fn pause_after(&self, attempt: u32, error: &CallError) -> Duration {
        error.retry_after().unwrap_or_default().saturating_add(self.jitter(attempt))
    }

    /// Say how long to wait after an attempt of which nobody said anything.
    pub(crate) fn jitter(&self, attempt: u32) -> Duration {
        let grown = self.first_pause.saturating_mul(2_u32.saturating_pow(attempt));
        self.longest_pause.min(grown).min(FOR_EVER).mul_f64((self.chance)().clamp(0.0, 1.0))
    }
}

/// What to do after an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Make the same call again.
    Repeat,
    /// Read with `GetTransaction` how it ended.
    LookUp,
    /// Give the error to the caller.
    Raise,
}

/// Decide what to do after an attempt that failed; `is_last` says that attempts or time are used up.
#[must_use]
pub fn decide(phase: Phase, error: &CallError, is_last: bool) -> Move {
    let may_repeat = match phase {
        Phase::Asked => is_repeatable_ask(error),
        Phase::Confirming | Phase::Reversing => {
            matches!(error.kind(), Kind::Unavailable | Kind::Throttled | Kind::NoAnswer | Kind::NotSent)
        }
        Phase::Reading => error.kind() == Kind::Unavailable,
        Phase::Changing | Phase::Unknown => false,
    };
    if may_repeat && !is_last {
        Move::Repeat
    } else if phase == Phase::Asked && error.is_outcome_open() {
        Move::LookUp
    } else {
        Move::Raise
    }
}

/// Tell whether a request may be repeated: nothing was sent, or the connection ended.
///
/// What is left open otherwise is not asked again but looked up, so that a till hears of it in time.
fn is_repeatable_ask(error: &CallError) -> bool {
    match error.kind() {
        Kind::Unavailable => true,
        Kind::Throttled => !error.reason().is_empty(),
        _ => false,
    }
}
