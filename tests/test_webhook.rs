//! `votive test-webhook`: the right cause and remedy for whatever can stand between the platform and the daemon.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::future::{self, Future};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rig::{PATIENCE, Rig, VOTIVE};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

const PATH: &str = "/gamemonitoring-webhook";

/// One request, head and body.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
            if body.len() >= length.parse().unwrap() {
                return Some(text);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
    }
}

/// What the daemon at `address` answers to a request.
async fn forward(address: &str, request: String) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Somebody who answers each request with what `act` makes of it. Gives the port.
async fn somebody<A, F>(tls: Option<TlsAcceptor>, act: A) -> u16
where
    A: Fn(String) -> F + Clone + Send + 'static,
    F: Future<Output = String> + Send,
{
    async fn serve<F: Future<Output = String>>(
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        act: impl Fn(String) -> F,
    ) {
        if let Some(request) = request(&mut stream).await {
            stream.write_all(act(request).await.as_bytes()).await.unwrap();
            // Whoever asked may have gone.
            drop(stream.shutdown().await);
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (act, tls) = (act.clone(), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => serve(stream, act).await,
                    // A client that does not trust us ends the handshake.
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, act).await;
                        }
                    }
                }
            });
        }
    });
    port
}

/// Somebody who passes requests on to the daemon, changed, and its answers back.
async fn passing_on(rig: &Rig, change: impl Fn(String) -> String + Clone + Send + 'static) -> u16 {
    let address = rig.daemon().address();
    somebody(None, move |request| {
        let (address, request) = (address.clone(), change(request));
        async move { forward(&address, request).await }
    })
    .await
}

/// `votive test-webhook`: its exit code, and what it says.
async fn tried(rig: &Rig, url: &str) -> (i32, String) {
    said(&rig.votive(&["test-webhook", url]).await)
}

fn said(output: &Output) -> (i32, String) {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(!said.contains("signing-token-of-the-tests"), "{said}");
    (output.status.code().unwrap(), said)
}

async fn is_well(rig: &Rig, url: &str) {
    let (code, said) = tried(rig, url).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("All is well: the delivery arrived, its signature is good"), "{said}");
}

/// That a trial fails, and that each of `texts` is said.
async fn fails(rig: &Rig, url: &str, texts: &[&str]) {
    let (code, said) = tried(rig, url).await;
    assert_eq!(code, 1, "{url}: {said}");
    assert!(texts.iter().all(|text| said.contains(text)), "{url}: {texts:?} is not all in\n{said}");
    // What happened, and behind it what to do.
    assert!(said.lines().filter(|line| line.starts_with("    ")).count() >= 1, "{said}");
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}{PATH}")
}

#[tokio::test]
async fn all_is_well_where_the_delivery_arrives_and_nothing_is_rewarded() {
    let mut rig = Rig::running().await;
    let port = passing_on(&rig, |request| request).await;
    is_well(&rig, &url(port)).await;
    // Headers that somebody takes away, and a body that says the same in other words, do no harm.
    let port = passing_on(&rig, |request| {
        let request = request.replace("votive-test: ", "x-other: ");
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let (length, longer) = (format!("content-length: {}", body.len()), body.len() + 1);
        let head = head.replace(&length, &format!("content-length: {longer}"));
        format!("{head}\r\n\r\n{} {}", &body[..1], &body[1..])
    })
    .await;
    is_well(&rig, &url(port)).await;
    let (_, log) = rig.stop().await;
    assert_eq!(log.matches("test delivery: the signature is good").count(), 2, "{log}");
    assert!(rig.game.console().is_empty() && rig.platform.record().acknowledged("e-1") == 0);
    assert!(!log.contains("recorded revision"), "{log}");
}

#[tokio::test]
async fn the_address_can_stand_in_the_file() {
    let rig = Rig::running().await;
    let (code, nowhere) = said(&rig.votive(&["test-webhook"]).await);
    assert_eq!(code, 1, "{nowhere}");
    assert!(
        nowhere.contains("votive test-webhook https://") && nowhere.contains("webhook.public_url"),
        "{nowhere}"
    );
    let public = format!("webhook:\n  public_url: {}", rig.daemon().url);
    rig.configure(&public, "", rig::DAILY);
    assert!(rig.votive(&["reload"]).await.status.success());
    let (code, said) = said(&rig.votive(&["test-webhook"]).await);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&rig.daemon().url), "{said}");
    assert!(said.contains("plain http://") && said.contains("private addresses"), "{said}");
}

#[tokio::test]
async fn what_is_no_address_is_not_posted_to() {
    let rig = Rig::running().await;
    for (url, text) in [
        ("votes.example.org", "it needs http:// or https://"),
        ("ftp://votes.example.org/", "it needs http:// or https://"),
        ("https://", "it needs http:// or https://"),
        ("https://someone:SECRET@votes.example.org/", "a user name or a password in it"),
        ("https://votes.example.org/#webhook", "has a `#` in it"),
    ] {
        let (code, said) = tried(&rig, url).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(text) && !said.contains("SECRET"), "{said}");
    }
    // A query is posted to, and told nobody.
    let port = passing_on(&rig, |request| request.replacen("?key=SECRET", "", 1)).await;
    let (code, said) = tried(&rig, &format!("{}?key=SECRET", url(port))).await;
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("SECRET") && !rig.daemon().log().contains("SECRET"), "{said}");
}

#[tokio::test]
async fn an_address_where_nobody_answers() {
    let rig = Rig::running().await;
    // Longer than a name may be: nobody has to be asked.
    let name = "a".repeat(64);
    fails(&rig, &format!("http://{name}.example{PATH}"), &["leads nowhere", "A or AAAA record"]).await;
    let door = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    door.bind(&SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
    let address = door.local_addr().unwrap().as_socket().unwrap();
    fails(&rig, &url(address.port()), &["the connection was refused", "Start your web server"]).await;

    // Where as many wait as may, the system drops whoever comes then.
    door.listen(0).unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
        waiting.push(stream);
    }
    fails(&rig, &url(address.port()), &["the connection was not answered", "firewall"]).await;
}

#[tokio::test]
async fn an_address_where_the_answer_does_not_come() {
    let rig = Rig::running().await;
    let silent = somebody(None, |_| future::pending::<String>()).await;
    let short = somebody(None, |_| future::ready(String::new())).await;
    let address = rig.daemon().address();
    let swallows = somebody(None, move |request| {
        let address = address.clone();
        async move {
            forward(&address, request).await;
            String::new()
        }
    })
    .await;
    tokio::join!(
        async {
            fails(&rig, &url(silent), &["did not answer within 10 s", "Nothing arrived here"]).await;
        },
        async {
            fails(&rig, &url(short), &["closed the connection without an answer"]).await;
        },
        async {
            fails(&rig, &url(swallows), &["arrived and Votive answered 204", "did not come back"]).await;
        },
    );
}

#[tokio::test]
async fn an_answer_that_comes_too_late_for_the_platform() {
    let rig = Rig::running().await;
    let address = rig.daemon().address();
    let slow = somebody(None, move |request| {
        let address = address.clone();
        async move {
            sleep(Duration::from_millis(5100)).await;
            forward(&address, request).await
        }
    })
    .await;
    fails(&rig, &url(slow), &["arrived and was answered, but it took 5", "may have given up"]).await;
}

fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn somebody_else_answers() {
    let rig = Rig::running().await;
    let html = "content-type: text/html; charset=UTF-8";
    let proxied = "listens on 127.0.0.1:";
    for (head, body, texts) in [
        (
            "200 OK".to_owned(),
            "Welcome to nginx!",
            &["answered 200, and nothing arrived", "another server answers"][..],
        ),
        ("204 No Content".to_owned(), "", &["answered 204, and nothing arrived"]),
        ("301 Moved\r\nlocation: /".to_owned(), "", &["sends visitors on to another path"]),
        (
            "302 Found\r\nlocation: https://elsewhere.example.org/a?secret=SECRET".to_owned(),
            "",
            &["to https://elsewhere.example.org.", "follows no redirects"],
        ),
        ("308 Permanent Redirect".to_owned(), "", &["a redirect that leads nowhere"]),
        (
            "403 Forbidden\r\ncf-mitigated: challenge".to_owned(),
            "",
            &["Cloudflare answered 403", "whether the visitor is human"],
        ),
        (
            format!("503 Service Unavailable\r\n{html}"),
            "<title>Just a moment...</title>",
            &["Cloudflare answered 503"],
        ),
        (format!("403 Forbidden\r\n{html}\r\nserver: ddos-guard"), "<html>", &["DDoS-Guard answered 403"]),
        (
            format!("429 Too Many Requests\r\n{html}"),
            "<div class=h-captcha>",
            &["A bot protection answered 429"],
        ),
        ("401 Unauthorized\r\nwww-authenticate: Basic".to_owned(), "", &["asks for a password (401)"]),
        (
            "401 Unauthorized".to_owned(),
            "The signature is wrong or missing. Compare Votive's signing token with the one in the project's settings.\n",
            &["Another Votive than this one answered 401"],
        ),
        ("403 Forbidden".to_owned(), "no", &["turned the delivery away with 403"]),
        (
            "404 Not Found".to_owned(),
            "nginx",
            &["Your web server answered 404", "webhook.path, which is /gamemonitoring-webhook"],
        ),
        (
            "404 Not Found".to_owned(),
            "Nothing is here. The path of the webhook is set in rewards.yaml, as webhook.path.\n",
            &["Another Votive than this one answered 404"],
        ),
        ("405 Not Allowed".to_owned(), "", &["takes no POST at this path"]),
        ("413 Content Too Large".to_owned(), "", &["answered 413 by itself", "client_max_body_size"]),
        (
            "400 Bad Request".to_owned(),
            "<center>The plain HTTP request was sent to HTTPS port</center>",
            &["speaks HTTPS on this port", "Write https://"],
        ),
        ("502 Bad Gateway".to_owned(), "", &["cannot reach Votive", proxied]),
        ("503 Service Unavailable".to_owned(), "", &["cannot reach Votive", proxied]),
        ("504 Gateway Timeout".to_owned(), "", &["cannot reach Votive", proxied]),
        ("522 ".to_owned(), "", &["Cloudflare answered 522"]),
        ("500 Internal Server Error".to_owned(), "", &["it failed by itself"]),
        ("402 Payment Required".to_owned(), "", &["Somebody answered 402"]),
    ] {
        let answer = answer(&head, body);
        let port = somebody(None, move |_| future::ready(answer.clone())).await;
        fails(&rig, &url(port), texts).await;
        let (_, said) = tried(&rig, &url(port)).await;
        assert!(!said.contains("SECRET"), "{said}");
    }
    let port = somebody(None, |_| future::ready(String::new())).await;
    let https = answer(&format!("301 Moved\r\nlocation: https://127.0.0.1:{port}/x"), "");
    // To https on the same host and port, as a server with one port does it in a test.
    let listener = somebody(None, move |request| {
        let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
        future::ready(https.replace(&format!("127.0.0.1:{port}"), &host))
    })
    .await;
    fails(&rig, &url(listener), &["to https://127.0.0.1:", "Write https:// in front of the address"]).await;
}

#[tokio::test]
async fn what_is_between_changes_the_delivery_or_its_answer() {
    let rig = Rig::running().await;
    let with_body = |request: String, body: &str| {
        let (head, old) = request.split_once("\r\n\r\n").unwrap();
        let length = |body: &str| format!("content-length: {}", body.len());
        format!("{}\r\n\r\n{body}", head.replace(&length(old), &length(body)))
    };
    let eats = passing_on(&rig, move |request| with_body(request, "")).await;
    fails(&rig, &url(eats), &["arrived without its body", "pass the body on as it comes"]).await;
    let changes = passing_on(&rig, |request| request.replace("\"is_test\":true", "\"is_test\":null")).await;
    fails(&rig, &url(changes), &["arrived with another body"]).await;
    let alters = passing_on(&rig, |request| request.replace("server.vote", "Server.Vote")).await;
    fails(&rig, &url(alters), &["arrived with another body", "its signature is wrong"]).await;
    let moves = passing_on(&rig, |request| request.replacen(PATH, "/votes/", 1)).await;
    fails(&rig, &url(moves), &["with the path \"/votes/\", and webhook.path is /gamemonitoring-webhook"])
        .await;
    let puts = passing_on(&rig, |request| request.replacen("POST ", "PUT ", 1)).await;
    fails(&rig, &url(puts), &["sent as a POST and arrived as a PUT"]).await;
    let address = rig.daemon().address();
    let replaces = somebody(None, move |request| {
        let address = address.clone();
        async move {
            forward(&address, request).await;
            answer("500 Internal Server Error", "sorry")
        }
    })
    .await;
    fails(&rig, &url(replaces), &["Votive answered 204, and 500 came back"]).await;
}

#[tokio::test]
async fn another_votive_with_another_token_is_told_from_this_one() {
    let (rig, mut other) = (Rig::running().await, Rig::new().await);
    other.write_secret("token", "another-token");
    other.start().await;
    fails(&rig, &other.daemon().url, &["Another Votive than this one answered 401"]).await;
    is_well(&rig, &rig.daemon().url).await;
}

/// An authority that signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    own: Certificate,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        Authority { issuer: Issuer::new(params, key), own }
    }

    /// Speaks TLS with a certificate for `name` that holds from one year to another.
    fn acceptor(&self, name: &str, from: i32, until: i32) -> TlsAcceptor {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
        let key = KeyPair::generate().unwrap();
        acceptor(params.signed_by(&key, &self.issuer).unwrap().der(), &key)
    }
}

fn acceptor(certificate: &CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

#[tokio::test]
async fn a_certificate_that_others_would_not_take() {
    let mut rig = Rig::new().await;
    let known = Authority::new("known");
    std::fs::write(rig.path("ca.pem"), known.own.pem()).unwrap();
    let mut command = Command::new("env");
    command.arg(format!("SSL_CERT_FILE={}", rig.path("ca.pem").display())).arg(VOTIVE);
    rig.start_as(command).await;
    let address = rig.daemon().address();
    let https = async |tls: TlsAcceptor| {
        let address = address.clone();
        let port = somebody(Some(tls), move |request| {
            let address = address.clone();
            async move { forward(&address, request).await }
        })
        .await;
        format!("https://localhost:{port}{PATH}")
    };
    is_well(&rig, &https(known.acceptor("localhost", 2000, 2100)).await).await;
    fails(&rig, &https(known.acceptor("localhost", 2000, 2020)).await, &["has expired", "Renew it"]).await;
    fails(&rig, &https(known.acceptor("localhost", 2090, 2100)).await, &["is not valid yet", "clock"]).await;
    fails(&rig, &https(known.acceptor("other.example", 2000, 2100)).await, &["is for other names"]).await;
    // By somebody whom nobody knows, by somebody who has taken the name of another, and by itself.
    let own = Authority::new("own");
    for unknown in [
        Authority::new("unknown").acceptor("localhost", 2000, 2100),
        Authority::new("known").acceptor("localhost", 2000, 2100),
        acceptor(own.own.der(), own.issuer.key()),
    ] {
        fails(&rig, &https(unknown).await, &["self-signed", "Let's Encrypt"]).await;
    }
    // Plain HTTP, where HTTPS is expected.
    let plain = rig.daemon().url.replace("http://", "https://");
    fails(&rig, &plain, &["does not speak HTTPS on this port"]).await;
    rig.stop().await;

    let mut command = Command::new("env");
    command.args(["SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=/nonexistent", VOTIVE]);
    rig.start_as(command).await;
    let plain = rig.daemon().url.replace("http://", "https://");
    timeout(PATIENCE, fails(&rig, &plain, &["knows no certificate authority", "ca-certificates"]))
        .await
        .unwrap();
}
