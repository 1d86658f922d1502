//! How often a download is tried again, and how long it waits in between.

use super::{Event, Observer};
use crate::Error;
use std::time::Duration;

/// A failure, and whether trying again may help.
#[derive(Debug)]
pub enum Failure {
    /// It will be the same the next time.
    Final(Error),
    /// A broken connection, an overloaded server: worth another try, after `wait` if the server
    /// said so.
    Passing {
        error: Error,
        wait: Option<Duration>,
    },
}

impl Failure {
    /// A failure of the network that may pass.
    pub fn passing(message: impl Into<String>) -> Self {
        Failure::Passing {
            error: Error::Network(message.into()),
            wait: None,
        }
    }

    /// What to report when nothing more is tried.
    pub fn into_error(self) -> Error {
        match self {
            Failure::Final(error) | Failure::Passing { error, .. } => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Final(error)
    }
}

/// The limits of trying again.
#[derive(Debug, Clone)]
pub struct Patience {
    /// How many tries in a row may fail without bringing [`Patience::PROGRESS`].
    pub tries: u32,
    /// The first pause; each further one is twice as long.
    pub pause: Duration,
    /// The longest pause, whoever asks for it.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 6,
            pause: Duration::from_millis(500),
            longest: Duration::from_secs(60),
        }
    }
}

impl Patience {
    /// A try that brought so many bytes starts the count anew: a long download over a bad line
    /// comes to its end, while one that crawls does not go on for ever.
    pub const PROGRESS: u64 = 1 << 20;

    /// One try only.
    pub fn none() -> Self {
        Self {
            tries: 1,
            ..Self::default()
        }
    }
}

/// The tries of one download.
#[derive(Debug)]
pub struct Tries<'a> {
    patience: &'a Patience,
    failed: u32,
    damaged: u32,
}

impl<'a> Tries<'a> {
    pub fn new(patience: &'a Patience) -> Self {
        Self {
            patience,
            failed: 0,
            damaged: 0,
        }
    }

    /// After a try that brought `gained` bytes and failed: waits for the next one, or returns the
    /// error that ends it all.
    pub fn again(
        &mut self,
        failure: Failure,
        gained: u64,
        observer: &mut Observer,
    ) -> Result<(), Error> {
        let (error, asked) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing { error, wait } => (error, wait),
        };
        // What arrives whole but wrong a second time is wrong at its source.
        if matches!(error, Error::Integrity(_)) {
            self.damaged += 1;
            if self.damaged > 1 {
                return Err(error);
            }
        }
        if gained >= Patience::PROGRESS {
            self.failed = 0;
        }
        self.failed += 1;
        if self.failed >= self.patience.tries {
            return Err(match error {
                Error::Network(message) if self.failed > 1 => {
                    Error::Network(format!("{message} (tried {} times)", self.failed))
                }
                other => other,
            });
        }
        let doubled = self
            .patience
            .pause
            .saturating_mul(1 << (self.failed - 1).min(16));
        let pause = asked.unwrap_or(doubled);
        if pause > self.patience.longest && asked.is_some() {
            return Err(Error::Network(format!(
                "{error}: the server asks to wait for {} s, try again then",
                pause.as_secs()
            )));
        }
        let pause = pause.min(self.patience.longest);
        if pause >= Duration::from_secs(2) {
            observer(Event::Notice(&format!(
                "{error}; trying again in {} s",
                pause.as_secs()
            )));
        }
        std::thread::sleep(pause);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(tries: u32) -> Patience {
        Patience {
            tries,
            pause: Duration::ZERO,
            longest: Duration::from_secs(5),
        }
    }

    fn again(tries: &mut Tries, failure: Failure, gained: u64) -> Result<(), Error> {
        tries.again(failure, gained, &mut |_| {})
    }

    #[test]
    fn tries_are_counted_from_the_last_progress_on() {
        let patience = patience(3);
        let mut tries = Tries::new(&patience);
        for _ in 0..10 {
            again(&mut tries, Failure::passing("cut"), Patience::PROGRESS).unwrap();
        }
        again(&mut tries, Failure::passing("cut"), 1).unwrap();
        let error = again(&mut tries, Failure::passing("cut"), 1).unwrap_err();
        assert_eq!(error, Error::Network("cut (tried 3 times)".into()));
    }

    #[test]
    fn what_is_wrong_twice_and_what_is_final_ends_at_once() {
        let patience = patience(9);
        let mut tries = Tries::new(&patience);
        let damaged = || Failure::Passing {
            error: Error::Integrity("sum".into()),
            wait: None,
        };
        again(&mut tries, damaged(), 1 << 30).unwrap();
        assert_eq!(
            again(&mut tries, damaged(), 1 << 30),
            Err(Error::Integrity("sum".into()))
        );
        let gone = Failure::Final(Error::Network("gone".into()));
        assert_eq!(
            again(&mut tries, gone, 0),
            Err(Error::Network("gone".into()))
        );
    }

    #[test]
    fn a_wait_beyond_all_patience_is_reported() {
        let patience = patience(9);
        let mut tries = Tries::new(&patience);
        let busy = |seconds| Failure::Passing {
            error: Error::Network("busy".into()),
            wait: Some(Duration::from_secs(seconds)),
        };
        again(&mut tries, busy(0), 0).unwrap();
        let error = again(&mut tries, busy(3600), 0).unwrap_err();
        assert!(error.to_string().contains("3600 s"), "{error}");
    }
}
