//! What the API answers: never another vote, another server's, or one that nobody could read back.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;
use votive::domain::event::{EventKey, SERVER_VOTE};
use votive::domain::vote::{NotAVote, ServerRef, Vote, read};

fuzz_target!(|body: &[u8]| {
    let event = EventKey::new(SERVER_VOTE, "e-1");
    let read_vote = read(body, &event);
    assert_eq!(read_vote, read(body, &event), "the same answer was read differently");
    // Bytes that are no text may be in what nobody asks for.
    let body = String::from_utf8_lossy(body);
    let vote = match read_vote {
        Ok(vote) => vote,
        Err(NotAVote::Nonsense(_)) => return,
        // Whatever is refused for good is at least an answer of the form that we know.
        Err(NotAVote::Mismatch(_)) => {
            assert!(value(&response(&body), "nickname").is_string());
            return;
        }
    };
    let response = response(&body);
    let says =
        |name: &str, what: &Value| matches!(value(&response, name), said if said.is_null() || said == *what);
    assert!(says("id", &"e-1".into()), "another vote");
    assert!(says("entity_type", &"server".into()), "no vote for a server");
    assert_eq!(value(&response, "nickname"), vote.nickname.as_str());
    let id = whole_number(&value(&fields(response["server"].get()), "id")).expect("a vote without a server");
    assert_eq!(vote.server, ServerRef::Id(id));
    let entity = value(&response, "entity_id");
    assert!(entity.is_null() || whole_number(&entity) == Some(id), "another server");
    if vote.user_id.is_some() {
        assert_eq!(vote.user_id, whole_number(&value(&fields(response["user"].get()), "id")));
    }
    if let Some(time) = vote.created_at {
        assert_eq!(value(&response, "created_at"), time.as_second());
    }
    // The ledger keeps it as JSON.
    let kept = serde_json::to_vec(&vote).expect("a vote that cannot be kept");
    let kept: Vote = serde_json::from_slice(&kept).expect("a vote that cannot be read back");
    assert_eq!(kept, vote);
});

/// An object's fields as they stand in it: what nobody asks for may be anything.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// What the answer says about the vote, read without any of Votive's rules.
fn response(body: &str) -> Fields<'_> {
    fields(fields(body)["response"].get())
}

fn fields(object: &str) -> Fields<'_> {
    serde_json::from_str(object).expect("no object")
}

fn value(fields: &Fields, name: &str) -> Value {
    fields.get(name).map_or(Value::Null, |raw| serde_json::from_str(raw.get()).expect("no value"))
}

/// An integer, or a string of digits.
fn whole_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str().filter(|text| !text.starts_with('+'))?.parse().ok())
}
