//! Every test vector of the fact sheet.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use serde_json::Value;
use votive::domain::event::Envelope;
use votive::domain::signature::{sign, verify};

#[test]
fn every_vector() {
    let sheet: Value = serde_json::from_str(include_str!("signature-vectors.json")).unwrap();
    let vectors = sheet["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 6);
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let (token, signature) = (vector["token"].as_str().unwrap(), vector["signature"].as_str().unwrap());
        let mut body = vector["fields"].clone();
        body["signature"] = signature.into();
        let envelope = Envelope::parse(body.to_string().as_bytes()).unwrap();
        assert_eq!(envelope.message(), vector["message"], "{name}");
        assert_eq!(envelope.signature(), Some(signature), "{name}");
        assert_eq!(sign(token, &envelope.message()), signature, "{name}");
        assert!(verify(token, &envelope.message(), signature), "{name}");
        assert!(!verify("another", &envelope.message(), signature), "{name}");
    }
}
