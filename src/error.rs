//! The one error type. Every failure that starts outside this crate (a file, a picture, a prompt,
//! a device) ends here, with a message that names the offender and what was expected.
//! A shape mistake of our own is an `assert!` instead.

/// What went wrong, with a message that says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The picture is not readable, too large, or in an unknown format.
    #[error("{0}")]
    BadImage(String),
    /// A model file is truncated, inconsistent, or lacks something.
    #[error("{0}")]
    BadWeights(String),
    /// An argument of the call is unusable: no labels, an empty text, an unknown option.
    #[error("{0}")]
    BadInput(String),
    /// The model has no head for the task.
    #[error("{0}")]
    UnsupportedTask(String),
    /// The requested device does not exist here.
    #[error("{0}")]
    NoDevice(String),
    /// The model or the call does not fit into memory.
    #[error("{0}")]
    OutOfMemory(String),
    /// A download failed.
    #[error("{0}")]
    Network(String),
    /// A file is not the one that was promised.
    #[error("{0}")]
    Integrity(String),
    /// The device went away in the middle of the work.
    #[error("{0}")]
    DeviceLost(String),
    /// The caller asked to stop.
    #[error("{0}")]
    Aborted(String),
}

impl Error {
    /// The stable name of the kind of error, as `error.code` in JavaScript.
    pub fn code(&self) -> &'static str {
        match self {
            Error::BadImage(_) => "bad_image",
            Error::BadWeights(_) => "bad_weights",
            Error::BadInput(_) => "bad_input",
            Error::UnsupportedTask(_) => "unsupported_task",
            Error::NoDevice(_) => "no_device",
            Error::OutOfMemory(_) => "out_of_memory",
            Error::Network(_) => "network",
            Error::Integrity(_) => "integrity",
            Error::DeviceLost(_) => "device_lost",
            Error::Aborted(_) => "aborted",
        }
    }
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
