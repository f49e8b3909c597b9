//! What the API says about an event: who voted, and for which game server.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::event::EventKey;

/// A vote, as the ledger keeps it. The nickname is untrusted text until [`super::player`] has checked it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// As the voter typed it.
    pub nickname: String,
    /// Where the reward goes.
    pub server: ServerRef,
    /// The platform's id of the voter, for the reward log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u64>,
    /// When the vote was made, where the platform says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// How a grant refers to its game server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerRef {
    /// The platform's `response.server.id`: stays true when the owner renames the server.
    Id(u64),
    /// The name in `rewards.yaml`, for test votes on a server without an id.
    Name(String),
}

impl std::fmt::Display for ServerRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ServerRef::Id(id) => write!(f, "server id {id}"),
            ServerRef::Name(name) => f.write_str(name),
        }
    }
}

/// Why an answer of the API is not the vote.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum NotAVote {
    /// Not JSON, or short of a required field: asked again later.
    #[error("the answer is not a vote: {0}")]
    Nonsense(&'static str),
    /// A vote, but not this one: refused, as asking again cannot help.
    #[error("{0}")]
    Mismatch(&'static str),
}

/// Both levels have to be objects: without these two steps an array would pass for one.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    response: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    nickname: Value,
    #[serde(default)]
    entity_type: Value,
    #[serde(default)]
    entity_id: Value,
    #[serde(borrow)]
    server: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(default)]
    created_at: Value,
}

/// What a server or a user is known by. Their names are not even read: half of a character in one, which no text can
/// hold, must not cost a vote.
#[derive(Deserialize)]
struct Identified {
    #[serde(default)]
    id: Value,
}

/// Reads the body of `GET /votes/{event_id}`; the caller has checked the status and the size.
///
/// # Errors
/// [`NotAVote::Nonsense`] where a required field is missing, [`NotAVote::Mismatch`] where the answer speaks of
/// another vote, another kind of entity or another server than it should.
pub fn read(body: &[u8], event: &EventKey) -> Result<Vote, NotAVote> {
    let unknown = NotAVote::Nonsense("it is not the JSON we know");
    let answer: Option<Answer<'_>> = is_object(body).then(|| serde_json::from_slice(body).ok()).flatten();
    let response = answer.and_then(|answer| answer.response).map(RawValue::get);
    let response = response.filter(|text| is_object(text.as_bytes()));
    let response: Response<'_> = response.and_then(|text| serde_json::from_str(text).ok()).ok_or(unknown)?;
    let nickname = response.nickname.as_str().ok_or(NotAVote::Nonsense("it has no nickname"))?;
    let server_id = id_of(response.server).ok_or(NotAVote::Nonsense("it has no server id"))?;

    if !response.id.is_null() && response.id.as_str() != Some(&event.event_id) {
        return Err(NotAVote::Mismatch("the API answered with another vote than the one that was asked for"));
    }
    let entity_type = event.event_type.strip_suffix(".vote");
    if !response.entity_type.is_null() && response.entity_type.as_str() != entity_type {
        return Err(NotAVote::Mismatch("the API says that this vote is not for a server"));
    }
    if !response.entity_id.is_null() && whole_number(&response.entity_id) != Some(server_id) {
        return Err(NotAVote::Mismatch("the API names two different servers for this vote"));
    }
    Ok(Vote {
        nickname: nickname.to_owned(),
        server: ServerRef::Id(server_id),
        user_id: id_of(response.user),
        created_at: response.created_at.as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok()),
    })
}

fn is_object(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}

/// The id in a server or a user.
fn id_of(value: Option<&RawValue>) -> Option<u64> {
    let text = value.map(RawValue::get).filter(|text| is_object(text.as_bytes()))?;
    whole_number(&serde_json::from_str::<Identified>(text).ok()?.id)
}

/// An id of the platform: an integer, or a string of digits.
fn whole_number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{"response": {
        "id": "e-1", "nickname": "PlayerName", "entity_type": "server", "entity_id": 1,
        "server": {"id": 1, "name": "My server"}, "user": {"id": 42, "name": "voter"}, "created_at": 1783200000
    }}"#;

    fn read_with(name: &str, value: &str) -> Result<Vote, NotAVote> {
        let mut answer: Value = serde_json::from_str(SAMPLE).unwrap();
        answer["response"][name] = serde_json::from_str(value).unwrap();
        read(answer.to_string().as_bytes(), &EventKey::new("server.vote", "e-1"))
    }

    #[test]
    fn the_sample_of_the_fact_sheet() {
        let vote = read(SAMPLE.as_bytes(), &EventKey::new("server.vote", "e-1")).unwrap();
        assert_eq!(vote.nickname, "PlayerName");
        assert_eq!(vote.server, ServerRef::Id(1));
        assert_eq!(vote.user_id, Some(42));
        assert_eq!(vote.created_at.unwrap().as_second(), 1_783_200_000);
    }

    #[test]
    fn optional_fields_may_be_absent_null_or_odd() {
        for (name, value) in [
            ("user", "null"),
            ("user", r#"{"id": "forty"}"#),
            ("id", "null"),
            ("entity_type", "null"),
            ("entity_id", "\"1\""),
            ("created_at", "\"yesterday\""),
            ("created_at", "99999999999999999"),
            ("server", r#"{"id": "1"}"#),
            ("extra", "[1]"),
        ] {
            assert!(read_with(name, value).is_ok(), "{name} = {value}");
        }
    }

    /// As a name becomes that is cut between the two halves of an emoji.
    #[test]
    fn half_a_character_in_a_name_costs_no_vote() {
        let answer = SAMPLE.replace("My server", r"My server \ud83d").replace("voter", r"\ude00");
        let vote = read(answer.as_bytes(), &EventKey::new("server.vote", "e-1")).unwrap();
        assert_eq!((vote.server, vote.user_id), (ServerRef::Id(1), Some(42)));
    }

    #[test]
    fn short_of_a_required_field_is_no_vote() {
        for (name, value) in [
            ("nickname", "null"),
            ("nickname", "7"),
            ("server", "null"),
            ("server", "{}"),
            ("server", r#"{"id": -1}"#),
            ("server", r#"{"id": 1.5}"#),
            ("server", r#"{"id": ""}"#),
            ("server", r#"{"id": "+1"}"#),
        ] {
            assert!(matches!(read_with(name, value), Err(NotAVote::Nonsense(_))), "{name} = {value}");
        }
        for body in [
            "",
            "{}",
            r#"{"response": null}"#,
            r#"{"response": []}"#,
            "[]",
            r#"[{"nickname": "a", "server": {"id": 1}}]"#,
            r#"{"response": ["e-1", "Steve", null, null, {"id": 1}, null, null]}"#,
            "nonsense",
        ] {
            let read = read(body.as_bytes(), &EventKey::new("server.vote", "e-1"));
            assert!(matches!(read, Err(NotAVote::Nonsense(_))), "{body}");
        }
    }

    #[test]
    fn another_vote_is_refused() {
        for (name, value) in [
            ("id", "\"e-2\""),
            ("id", "1"),
            ("entity_type", "\"project\""),
            ("entity_type", "3"),
            ("entity_id", "2"),
        ] {
            assert!(matches!(read_with(name, value), Err(NotAVote::Mismatch(_))), "{name} = {value}");
        }
    }
}
