//! The simulated platform, held against `contract/gamemonitoring.md` over bare sockets.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use votive::domain::event::{Envelope, EventKey};
use votive::domain::signature::verify;
use votive::domain::vote;
use votive::sim::platform::{ApiAnswer, Delivery, End, Platform};

const TOKEN: &str = "signing-token";

/// Head and body of the answer to `GET path`.
async fn get(platform: &Platform, path: &str) -> (String, Vec<u8>) {
    let address = platform.api_url().strip_prefix("http://").unwrap().to_owned();
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(format!("GET {path} HTTP/1.1\r\nHost: api\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    match answer.windows(4).position(|end| end == b"\r\n\r\n") {
        Some(end) => (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec()),
        None => (String::new(), answer),
    }
}

#[tokio::test]
async fn the_api_answers_with_the_vote_and_counts_the_questions() {
    let platform = Platform::start(TOKEN).unwrap();
    platform.vote("e-1", "Steve", 7);
    for _ in 0..2 {
        let (head, body) = get(&platform, "/votes/e-1").await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let vote = vote::read(&body, &EventKey::new("server.vote", "e-1")).unwrap();
        assert_eq!((vote.nickname.as_str(), vote.server), ("Steve", vote::ServerRef::Id(7)));
    }
    for unknown in ["/votes/e-2", "/votes/", "/votes?server_id=7", "/"] {
        assert!(get(&platform, unknown).await.0.starts_with("HTTP/1.1 404 "), "{unknown}");
    }
    assert_eq!(platform.record().asked("e-1"), 2);
    assert_eq!(platform.record().requests.len(), 6);
}

#[tokio::test]
async fn the_api_can_be_wrong_in_every_way() {
    let platform = Platform::start(TOKEN).unwrap();
    platform.answer("moved", ApiAnswer::redirect("http://127.0.0.1:1/"));
    let (head, _) = get(&platform, "/votes/moved").await;
    assert!(
        head.starts_with("HTTP/1.1 302 ") && head.contains("\r\nLocation: http://127.0.0.1:1/\r\n"),
        "{head}"
    );

    platform.answer("half", ApiAnswer::new(200, "x".repeat(100)).ending(End::Truncated));
    let (head, body) = get(&platform, "/votes/half").await;
    assert!(head.contains("Content-Length: 100\r\n"), "{head}");
    assert_eq!(body.len(), 50);

    platform.answer("gone", ApiAnswer::new(200, "x").ending(End::Closed));
    assert_eq!(get(&platform, "/votes/gone").await, (String::new(), Vec::new()));

    platform.answer("huge", ApiAnswer::new(500, "x".repeat(1 << 20)));
    assert_eq!(get(&platform, "/votes/huge").await.1.len(), 1 << 20);

    platform.vote("e-1", "Steve", 7);
    platform.set_outage(Some(ApiAnswer::new(503, "maintenance")));
    assert!(get(&platform, "/votes/e-1").await.0.starts_with("HTTP/1.1 503 "));
    platform.set_outage(None);
    assert!(get(&platform, "/votes/e-1").await.0.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(start_paused = true)]
async fn the_api_can_be_slow_or_never_answer() {
    let platform = Platform::start(TOKEN).unwrap();
    let begun = tokio::time::Instant::now();
    platform.answer("slow", ApiAnswer::new(200, "{}").after(Duration::from_secs(20)));
    get(&platform, "/votes/slow").await;
    assert!(begun.elapsed() >= Duration::from_secs(20));
    platform.answer("never", ApiAnswer::new(200, "{}").ending(End::Hangs));
    assert!(tokio::time::timeout(Duration::from_secs(3600), get(&platform, "/votes/never")).await.is_err());
}

#[tokio::test]
async fn the_api_can_be_down_and_come_back() {
    let platform = Platform::start(TOKEN).unwrap();
    platform.vote("e-1", "Steve", 7);
    platform.answer("never", ApiAnswer::new(200, "{}").ending(End::Hangs));
    let (hanging, ()) = tokio::join!(get(&platform, "/votes/never"), async {
        platform.until(|record| record.asked("never") == 1).await;
        platform.stop().await;
    });
    assert_eq!(hanging, (String::new(), Vec::new()));
    let address = platform.api_url().strip_prefix("http://").unwrap().to_owned();
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    platform.start_again().unwrap();
    assert!(get(&platform, "/votes/e-1").await.0.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn deliveries_are_signed_as_the_fact_sheet_says() {
    let as_received = |delivery: &Delivery| {
        let envelope = Envelope::parse(&delivery.body()).unwrap();
        let good = |token| envelope.signature().is_some_and(|it| verify(token, &envelope.message(), it));
        (good(TOKEN), envelope.delivery().map(|delivery| (delivery.key.event_id, delivery.is_test)))
    };
    let platform = Platform::start(TOKEN).unwrap();
    let plain = platform.delivery("server.vote", "e-1");
    let body: Value = serde_json::from_slice(&plain.body()).unwrap();
    let mut names: Vec<&String> = body.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["event_id", "event_type", "is_test", "signature"]);
    assert_eq!(as_received(&plain), (true, Ok(("e-1".to_owned(), false))));
    let test = plain.clone().with("event_id", json!(9)).test();
    assert_eq!(as_received(&test), (true, Ok(("9".to_owned(), true))));
    assert!(as_received(&plain.clone().with("added_later", json!("ж & \"x\""))).0);
    assert!(!as_received(&plain.clone().forged()).0);
    assert!(!as_received(&plain.clone().with_signature(json!("00"))).0);
    assert!(!as_received(&plain.clone().with_signature(Value::Null)).0);
    assert_eq!(plain.clone().raw("nonsense").body(), b"nonsense");
}

#[tokio::test]
async fn every_answer_to_a_delivery_is_recorded() {
    let platform = Platform::start(TOKEN).unwrap();
    let webhook = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", webhook.local_addr().unwrap());
    let delivery = platform.delivery("server.vote", "e-1");
    let answers = [
        ("HTTP/1.1 422 No\r\nContent-Length: 6\r\n\r\nrefuse", Some(422), "refuse"),
        ("HTTP/1.1 204 Fine\r\n\r\n", Some(204), ""),
        ("", None, ""),
    ];
    for (answer, status, body) in answers {
        let serve = async {
            let (mut socket, _) = webhook.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(&delivery.body()) {
                assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
            }
            socket.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        };
        let (answered, request) = tokio::join!(platform.deliver(&url, &delivery), serve);
        assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
        assert_eq!((answered.event_id.as_str(), answered.status), ("e-1", status));
        assert!(status.is_none() || answered.body == body);
    }
    drop(webhook);
    assert_eq!(platform.deliver(&url, &delivery).await.status, None);
    let record = platform.record();
    assert_eq!(record.deliveries.len(), 4);
    assert_eq!(record.acknowledged("e-1"), 1);
}
