//! One delivery of the simulated platform: the body that it signs, and the answer that it gets.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::domain::signature::sign;

/// A webhook that the platform is going to post.
#[derive(Clone, Debug)]
pub struct Delivery {
    token: String,
    fields: BTreeMap<String, Value>,
    /// In place of the right signature.
    signature: Option<Value>,
    /// In place of the whole body.
    raw: Option<Vec<u8>>,
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The event that was delivered, as text.
    pub event_id: String,
    /// The status of the answer; `None` where the connection was refused or broke before one had come.
    pub status: Option<u16>,
    /// What the platform's interface would show to the project's owner.
    pub body: String,
}

impl Answered {
    /// Whether the platform takes the event for processed, and will not show it as failed.
    pub fn is_acknowledged(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

impl Delivery {
    pub(super) fn new(token: &str, event_type: &str, event_id: &str) -> Self {
        let mut delivery =
            Delivery { token: token.to_owned(), fields: BTreeMap::new(), signature: None, raw: None };
        for (name, value) in
            [("event_type", event_type.into()), ("event_id", event_id.into()), ("is_test", false.into())]
        {
            delivery = delivery.with(name, value);
        }
        delivery
    }

    /// The same delivery with one field more, or with another value of it; still well signed.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }

    /// A test delivery, as the button in the platform's interface makes it.
    pub fn test(self) -> Self {
        self.with("is_test", true.into())
    }

    /// The same delivery signed by somebody who does not know the token.
    pub fn forged(mut self) -> Self {
        self.token = format!("not {}", self.token);
        self
    }

    /// The same delivery with this in place of its signature; `null` for none at all.
    pub fn with_signature(mut self, signature: Value) -> Self {
        self.signature = Some(signature);
        self
    }

    /// Any bytes in place of the body.
    pub fn raw(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.raw = Some(body.into());
        self
    }

    /// The bytes that are posted. Fields stand in the order of their names, the signature last.
    pub fn body(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut parts: Vec<String> = self
            .fields
            .iter()
            .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
            .collect();
        // The message is built here once more and not by the receiver's code, which it is to be held against.
        let message: Vec<String> =
            self.fields.iter().map(|(name, value)| format!("{name}={}", spelled(value))).collect();
        let right = || Value::from(sign(&self.token, &message.join("&")));
        let signature = self.signature.clone().unwrap_or_else(right);
        if !signature.is_null() {
            parts.push(format!("\"signature\":{signature}"));
        }
        format!("{{{}}}", parts.join(",")).into_bytes()
    }

    pub(super) async fn post(&self, url: &str) -> Answered {
        let answer = self.try_post(url).await;
        let (status, body) =
            answer.map_or_else(|error| (None, error.to_string()), |(status, body)| (Some(status), body));
        Answered { event_id: self.fields.get("event_id").map(spelled).unwrap_or_default(), status, body }
    }

    async fn try_post(&self, url: &str) -> io::Result<(u16, String)> {
        let url: Uri = url.parse().map_err(io::Error::other)?;
        let address = url.authority().map(|authority| authority.as_str()).unwrap_or_default().to_owned();
        let request = Request::post(url.path())
            .header("Host", &address)
            .header("Content-Type", "application/json")
            .body(Full::new(Bytes::from(self.body())))
            .map_err(io::Error::other)?;
        let socket = TcpStream::connect(address).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(socket)).await.map_err(io::Error::other)?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>((status, String::from_utf8_lossy(&body).into_owned()))
        };
        // The connection has to be driven until the answer is whole, and ends with it.
        tokio::pin!(connection, exchange);
        let mut closed = false;
        loop {
            tokio::select! {
                biased;
                answer = &mut exchange => return answer.map_err(io::Error::other),
                _ = &mut connection, if !closed => closed = true,
            }
        }
    }
}

/// A value as the signature's message has it: text as it stands, everything else as in the JSON.
fn spelled(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
