//! Secrets that people carry: join secrets and operators' tokens. Only digests of them are kept.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parallax_model::bytes::Bytes;

use super::PkiError;

/// 32 random bytes that are shown once and stored as a digest.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    /// Makes a fresh secret.
    pub(crate) fn fresh() -> Result<Self, PkiError> {
        let mut bytes = [0; 32];
        fill_random(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Returns the bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the digest that the store keeps of a join secret.
    pub(crate) fn digest(&self) -> Bytes {
        Bytes(sha256(&self.0).to_vec())
    }

    /// Returns the operator token with this secret.
    pub(crate) fn operator_token(&self) -> String {
        format!("{OPERATOR_PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0))
    }

    /// Reads an operator's token; none when it is not one.
    pub(crate) fn of_operator_token(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(OPERATOR_PREFIX)?).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Returns the SHA-256 digest.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Makes the public part of a join token.
pub(crate) fn fresh_token_id() -> Result<String, PkiError> {
    let mut bytes = [0; 6];
    fill_random(&mut bytes)?;
    Ok(Bytes(bytes.to_vec()).to_string())
}

pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), PkiError> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| PkiError::Random)
}

const OPERATOR_PREFIX: &str = "plxt_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_token_reads_back_and_hides_from_logs() {
        let secret = Secret::fresh().unwrap();
        let token = secret.operator_token();
        assert_eq!(Secret::of_operator_token(&token).as_ref(), Some(&secret));
        assert_eq!(format!("{secret:?}"), "Secret(hidden)");
        assert_ne!(secret, Secret::fresh().unwrap());
        for other in ["", "plxt_", "plxt_AAAA", token.trim_start_matches("plxt_"), &format!("{token}A")] {
            assert!(Secret::of_operator_token(other).is_none(), "{other}");
        }
    }
}
