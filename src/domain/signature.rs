//! The signature of a delivery: HMAC-SHA256 over the fields, in hex (contract/gamemonitoring.md).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

fn mac(token: &str, message: &str) -> Hmac<Sha256> {
    // HMAC is defined for a key of any length, so this cannot fail.
    #[allow(clippy::expect_used)]
    let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).expect("any key length is accepted");
    mac.update(message.as_bytes());
    mac
}

/// The signature of `message` as the platform writes it: 64 lower-case hex digits.
pub fn sign(token: &str, message: &str) -> String {
    base16ct::lower::encode_string(&mac(token, message).finalize().into_bytes())
}

/// Whether `signature` (64 hex digits, either case) is the signature of `message`. Compared in constant time.
pub fn verify(token: &str, message: &str, signature: &str) -> bool {
    let mut bytes = [0; 32];
    matches!(base16ct::mixed::decode(signature, &mut bytes), Ok(decoded) if decoded.len() == 32)
        && mac(token, message).verify_slice(&bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_spelling_of_the_right_bytes_and_nothing_else() {
        let good = sign("token", "a=1");
        assert!(verify("token", "a=1", &good));
        assert!(verify("token", "a=1", &good.to_uppercase()));
        assert!(!verify("other", "a=1", &good));
        assert!(!verify("token", "a=2", &good));
        for bad in
            ["", "00", &good[..62], &good[..63], &format!("{good}00"), &format!(" {good}"), &"g".repeat(64)]
        {
            assert!(!verify("token", "a=1", bad), "{bad}");
        }
    }
}
