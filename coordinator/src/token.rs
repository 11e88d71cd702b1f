//! Bearer tokens: 32 random bytes that are shown once; only their SHA-256 is stored. A hash without salt is
//! enough here, for a token cannot be guessed or listed as a password can.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// A new token, as its owner will send it.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn generate() -> Result<String, String> {
    let mut bytes = [0; TOKEN_BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| format!("no random bytes: {error}"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What is stored of a token.
pub fn sha256(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_different_and_fit_a_header() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_eq!(URL_SAFE_NO_PAD.decode(&one).unwrap().len(), TOKEN_BYTES);
        assert_ne!(one, other);
        assert_ne!(sha256(&one), sha256(&other));
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{one}");
    }
}
