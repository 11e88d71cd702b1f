//! The keys that are made of one user's key while the sealed files of one request are opened.
//!
//! The files of one export have the same parameters, so their key is made once. Whoever makes files by hand may
//! give each its own, and every one would cost what a passphrase costs; so there is a limit to them.

use std::collections::HashMap;
use std::sync::Arc;

use super::secret::UserKey;
use super::wrapping::{KdfParameters, Method, WrappingKey, derive};
use crate::fault::{Fault, Stage};
use crate::limits;

/// Wrapping keys, by how they were made.
#[derive(Debug, Default)]
pub struct DerivedKeys {
    made: HashMap<KdfParameters, Arc<WrappingKey>>,
    /// Those that were, or were to be, made of a passphrase.
    stretched: usize,
}

impl DerivedKeys {
    /// The one that was made with these parameters already.
    pub fn known(&self, parameters: &KdfParameters) -> Option<Arc<WrappingKey>> {
        self.made.get(parameters).map(Arc::clone)
    }

    /// The one with these parameters, made of `key` if it is not there yet: not on a thread that others wait for.
    ///
    /// # Errors
    /// `seal.salts` behind [`limits::PASSPHRASE_SALTS`] of them, and those of [`derive()`].
    pub fn of(&mut self, key: &UserKey, parameters: KdfParameters) -> Result<Arc<WrappingKey>, Fault> {
        if let Some(made) = self.known(&parameters) {
            return Ok(made);
        }
        if let Method::Passphrase(_) = parameters.method {
            if self.stretched == limits::PASSPHRASE_SALTS {
                return Err(too_many());
            }
            self.stretched += 1;
        }
        let made = Arc::new(derive(key, &parameters)?);
        self.made.insert(parameters, Arc::clone(&made));
        Ok(made)
    }
}

fn too_many() -> Fault {
    let most = limits::PASSPHRASE_SALTS;
    let message = format!(
        "found files whose passphrase is salted in more than {most} ways, expected at most {most} together: files of one \
         export share theirs; import the others by themselves"
    );
    Fault::new(Stage::Open, "seal.salts", message)
}
