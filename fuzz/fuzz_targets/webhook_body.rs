//! A webhook body: what its signature covers, and what a delivery can say.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use votive::domain::event::{Envelope, Malformed, is_event_id};
use votive::domain::signature;

/// A body's fields as they stand in it, read without any of Votive's rules.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

fuzz_target!(|body: &[u8]| {
    let read = Envelope::parse(body);
    assert_eq!(read, Envelope::parse(body), "the same body was read differently");
    let Ok(envelope) = read else { return };
    let fields: Fields = serde_json::from_slice(body).expect("an envelope that is no object");

    let message = envelope.message();
    assert_eq!(message, message_of(&fields));
    signed(&message, body.len());

    // The body as we write it says the same, whatever its signature.
    let written = |more: &[String]| {
        let others = fields.iter().filter(|(name, _)| *name != "signature");
        let others = others.map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", others.chain(more.iter().cloned()).collect::<Vec<_>>().join(",")).into_bytes()
    };
    let signature = signature::sign("token", &message);
    let again = Envelope::parse(&written(&[format!("\"signature\":\"{signature}\"")])).expect("a good body");
    assert_eq!(again.message(), message, "the message depends on the signature");
    assert_eq!(again.signature(), Some(signature.as_str()));
    assert_eq!(again.delivery(), envelope.delivery());

    // What has no defined spelling makes the whole body malformed.
    for wrong in ["\"x.\":null", "\"x.\":[]", "\"x.\":{}", "\"a b\":1", "\"x.\":1,\"x.\":1"] {
        assert_eq!(Envelope::parse(&written(&[wrong.to_owned()])), Err(Malformed), "{wrong} was taken");
    }

    if let Ok(delivery) = envelope.delivery() {
        let text = |name| serde_json::from_str::<String>(fields[name].get());
        assert!(is_event_id(&delivery.key.event_id), "the id does not fit into a URL");
        assert_eq!(Ok(&delivery.key.event_type), text("event_type").as_ref().map_err(|_| ()));
        assert_eq!(delivery.is_test.to_string(), fields["is_test"].get());
        match text("event_id") {
            Ok(id) => assert_eq!(delivery.key.event_id, id),
            Err(_) => assert!(delivery.is_test, "a number for the id of a real vote"),
        }
    }
});

/// The message as the fact sheet defines it.
fn message_of(fields: &Fields) -> String {
    let mut message = String::new();
    for (name, value) in fields.iter().filter(|(name, _)| *name != "signature") {
        let value = serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned());
        let and = if message.is_empty() { "" } else { "&" };
        message += &format!("{and}{name}={value}");
    }
    message
}

/// The signature of `message` is good, and no other is: `place` says which digit is changed.
fn signed(message: &str, place: usize) {
    let good = signature::sign("token", message);
    assert!(signature::verify("token", message, &good));
    assert!(!signature::verify("other", message, &good));
    assert!(!signature::verify("token", &format!("{message}&"), &good));
    let place = place % good.len();
    let digit = if &good[place..=place] == "0" { "1" } else { "0" };
    let mut wrong = good;
    wrong.replace_range(place..=place, digit);
    assert!(!signature::verify("token", message, &wrong));
}
