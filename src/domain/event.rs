//! What the webhook delivers: an event, and the message that its signature covers.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::arrival::Claim;

/// The event type that is rewarded: a vote on a server (contract/gamemonitoring.md).
pub const SERVER_VOTE: &str = "server.vote";
/// The event type of `votive test-vote`: ours, never the platform's.
pub const TEST_VOTE: &str = "votive.test";
/// The event type of `votive replay`.
pub const REPLAY: &str = "votive.replay";
/// Event types that begin so are ours; a signed delivery of one is refused.
const OWN_TYPES: &str = "votive.";
/// Every event type that the ledger can hold a grant of.
pub const GRANT_TYPES: [&str; 3] = [SERVER_VOTE, TEST_VOTE, REPLAY];

/// The identity of a grant: one event of the platform, or one of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventKey {
    /// `server.vote`, or a type of ours that begins with `votive.`.
    pub event_type: String,
    /// The id of the vote: `[A-Za-z0-9-]{1,100}`.
    pub event_id: String,
}

impl EventKey {
    /// The key of an event; the caller has checked the id with [`is_event_id`].
    pub fn new(event_type: &str, event_id: &str) -> Self {
        EventKey { event_type: event_type.to_owned(), event_id: event_id.to_owned() }
    }

    /// Whether it is of a type of our own: no platform delivers it.
    pub fn is_own(&self) -> bool {
        self.event_type.starts_with(OWN_TYPES)
    }
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.event_id)
    }
}

/// The longest id of a vote, in characters.
pub const LONGEST_ID: usize = 100;

/// Whether `text` may be the id of a vote. The id goes into a URL path, so nothing else is taken.
pub fn is_event_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// A webhook body that is well formed, and neither verified nor understood yet.
#[derive(Debug, PartialEq)]
pub struct Envelope {
    /// Every top-level field, sorted by name as the signature wants it.
    fields: BTreeMap<String, Scalar>,
}

/// A top-level value, kept as it arrived: numbers are signed from their raw text, never through a float.
#[derive(Debug, PartialEq)]
enum Scalar {
    Text(String),
    /// `true`, `false` or a number, as it stands in the JSON.
    Bare(String),
}

impl Scalar {
    fn as_str(&self) -> &str {
        match self {
            Scalar::Text(text) | Scalar::Bare(text) => text,
        }
    }
}

/// Why a body is not an envelope. Its text is shown to the project's owner and repeats nothing of the body.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error(
    "The body is not a JSON object of plain values with unique names; this is not a delivery of GAMEMONITORING."
)]
pub struct Malformed;

impl Envelope {
    /// Reads a webhook body.
    ///
    /// # Errors
    /// [`Malformed`] unless it is one JSON object whose names are unique and match `[A-Za-z0-9_.-]+`, and whose
    /// values are strings, booleans or numbers: nothing else has a defined spelling in the signature.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        serde_json::from_slice(body).map_err(|_| Malformed)
    }

    /// The message that the signature covers: `name=value` of every field but `signature`, joined with `&`.
    pub fn message(&self) -> String {
        let parts: Vec<String> = (self.fields.iter())
            .filter(|(name, _)| *name != "signature")
            .map(|(name, value)| format!("{name}={}", value.as_str()))
            .collect();
        parts.join("&")
    }

    /// The signature that came with the body, if it is a string.
    pub fn signature(&self) -> Option<&str> {
        self.text("signature")
    }

    /// What the delivery says, to be called only after the signature was found good: `9` and `"9"` have the same
    /// signature, so the types are checked here.
    ///
    /// # Errors
    /// The name of the field that is missing or of the wrong type.
    pub fn delivery(&self) -> Result<Delivery, BadField> {
        let event_type = self.text("event_type").ok_or(BadField("event_type", "a string"))?;
        let is_test = match self.fields.get("is_test") {
            Some(Scalar::Bare(text)) if text == "true" => true,
            Some(Scalar::Bare(text)) if text == "false" => false,
            _ => return Err(BadField("is_test", "true or false")),
        };
        let event_id = match self.fields.get("event_id") {
            Some(Scalar::Text(text)) if is_event_id(text) => text,
            // A test delivery may carry a plain number (contract/gamemonitoring.md).
            Some(Scalar::Bare(text)) if is_test && is_event_id(text) && text != "true" && text != "false" => {
                text
            }
            _ => return Err(BadField("event_id", "a string of letters, digits and dashes")),
        };
        Ok(Delivery { key: EventKey::new(event_type, event_id), is_test })
    }

    /// What the body says it is about, whoever wrote it.
    pub fn claim(&self) -> Claim {
        Claim::of(self.fields.get("event_id").map(Scalar::as_str), self.text("event_type"))
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.fields.get(name) {
            Some(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// A verified delivery.
#[derive(Debug, PartialEq)]
pub struct Delivery {
    /// Which event it is about.
    pub key: EventKey,
    /// Test deliveries are answered, never fetched and never rewarded.
    pub is_test: bool,
}

/// A field of a signed body that is missing or of the wrong type: its name, and what it has to be.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("The field {0} has to be {1}.")]
pub struct BadField(pub &'static str, pub &'static str);

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of plain values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        use serde::de::Error;
        let mut fields = BTreeMap::new();
        while let Some((name, raw)) = map.next_entry::<String, &RawValue>()? {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
            if name.is_empty() || !name.bytes().all(allowed) {
                return Err(A::Error::custom("name outside the alphabet"));
            }
            let value = match raw.get().as_bytes().first() {
                Some(b'"') => Scalar::Text(serde_json::from_str(raw.get()).map_err(A::Error::custom)?),
                Some(b'{' | b'[' | b'n') | None => return Err(A::Error::custom("not a scalar")),
                Some(_) => Scalar::Bare(raw.get().to_owned()),
            };
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("repeated name"));
            }
        }
        Ok(Envelope { fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> Result<String, Malformed> {
        Envelope::parse(body.as_bytes()).map(|envelope| envelope.message())
    }

    #[test]
    fn numbers_are_signed_as_they_stand() {
        let body = r#"{"b": 1e3, "a": 0.10, "c": -0, "signature": "x", "d": 12345678901234567890123}"#;
        assert_eq!(message(body).unwrap(), "a=0.10&b=1e3&c=-0&d=12345678901234567890123");
    }

    #[test]
    fn escapes_are_resolved_and_nothing_is_url_encoded() {
        assert_eq!(message(r#"{"a": "x \u0026 \"y\"/ä"}"#).unwrap(), "a=x & \"y\"/ä");
    }

    #[test]
    fn what_has_no_defined_spelling_is_malformed() {
        let bodies: [&[u8]; 17] = [
            b"",
            b"null",
            b"[]",
            b"\"a\"",
            b"{",
            b"{} {}",
            br#"{"a": null}"#,
            br#"{"a": []}"#,
            br#"{"a": {}}"#,
            br#"{"a": 1, "a": 1}"#,
            br#"{"a": 1, "\u0061": 2}"#,
            br#"{"": 1}"#,
            br#"{"a b": 1}"#,
            br#"{"a=b": 1}"#,
            "{\"\u{e4}\": 1}".as_bytes(),
            b"{\"a\": \"\xff\"}",
            b"\xef\xbb\xbf{\"a\": 1}",
        ];
        for body in bodies {
            assert_eq!(Envelope::parse(body), Err(Malformed), "{}", String::from_utf8_lossy(body));
        }
    }

    fn delivery(body: &str) -> Result<Delivery, BadField> {
        Envelope::parse(body.as_bytes()).unwrap().delivery()
    }

    #[test]
    fn types_are_checked_because_the_signature_does_not_cover_them() {
        let good = delivery(r#"{"event_type":"server.vote","event_id":"a-1","is_test":false}"#).unwrap();
        assert_eq!(good, Delivery { key: EventKey::new("server.vote", "a-1"), is_test: false });
        for (body, field) in [
            (r#"{"event_type":1,"event_id":"a","is_test":false}"#, "event_type"),
            (r#"{"event_id":"a","is_test":false}"#, "event_type"),
            (r#"{"event_type":"x","event_id":"a","is_test":"false"}"#, "is_test"),
            (r#"{"event_type":"x","event_id":"a"}"#, "is_test"),
            (r#"{"event_type":"x","event_id":9,"is_test":false}"#, "event_id"),
            (r#"{"event_type":"x","event_id":"","is_test":false}"#, "event_id"),
            (r#"{"event_type":"x","event_id":"a/../b","is_test":false}"#, "event_id"),
            (r#"{"event_type":"x","event_id":true,"is_test":true}"#, "event_id"),
            (r#"{"event_type":"x","event_id":9.5,"is_test":true}"#, "event_id"),
            (r#"{"event_type":"x","is_test":true}"#, "event_id"),
        ] {
            assert_eq!(delivery(body).unwrap_err().0, field, "{body}");
        }
    }

    #[test]
    fn a_test_delivery_may_have_a_number_for_an_id() {
        let test = delivery(r#"{"event_type":"server.vote","event_id":9,"is_test":true}"#).unwrap();
        assert_eq!((test.key.event_id.as_str(), test.is_test), ("9", true));
    }

    #[test]
    fn a_claim_is_of_harmless_characters_and_bounded() {
        let claim = |event_type: &str, event_id: &str| {
            let body = format!(r#"{{"event_type":{event_type},"event_id":{event_id}}}"#);
            let Claim { event_id, event_type } = Envelope::parse(body.as_bytes()).unwrap().claim();
            (event_type, event_id)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(claim(r#""server.vote""#, r#""e-1""#), (some("server.vote"), some("e-1")));
        assert_eq!(claim("9", "9"), (None, some("9")));
        let long = format!(r#""{}""#, "a".repeat(101));
        for bad in [r#""""#, r#""a b""#, r#""a\nb""#, r#""\u001b[31m""#, &long] {
            assert_eq!(claim(bad, bad), (None, None), "{bad}");
        }
    }

    #[test]
    fn an_id_is_at_most_a_hundred_characters() {
        assert!(is_event_id(&"a".repeat(100)));
        assert!(!is_event_id(&"a".repeat(101)));
    }
}
