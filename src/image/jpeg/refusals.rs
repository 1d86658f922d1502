//! What is said of a JPEG file that cannot be decoded.

use std::fmt::Display;

use crate::Error;

pub(super) fn damaged(what: impl Display) -> Error {
    Error::BadImage(format!("the JPEG picture is truncated or damaged: {what}"))
}

pub(super) fn truncated() -> Error {
    Error::BadImage("the JPEG picture is truncated: its end-of-image marker is missing".into())
}

pub(super) fn unsupported(what: impl Display) -> Error {
    Error::BadImage(format!(
        "the JPEG picture uses a feature that is not supported: {what}"
    ))
}
