//! The text of a key on its way from the user to the file: never shown, wiped when it is not needed any more.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::secret::{KeyError, UserKey};

/// What a user gave as a key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(Arc<Zeroizing<String>>);

impl KeyText {
    /// This text.
    ///
    /// # Errors
    /// When no key can be made of it.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        UserKey::parse(text)?;
        Ok(Self(Arc::new(Zeroizing::new(text.to_owned()))))
    }

    /// The key.
    ///
    /// # Errors
    /// None, for it was one when it was given.
    pub fn key(&self) -> Result<UserKey, KeyError> {
        UserKey::parse(&self.0)
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}
