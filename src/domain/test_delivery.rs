//! What came of a test delivery to the public address of the webhook, in words for the owner who has to mend it.

use std::fmt::{self, Display};
use std::time::Duration;

/// How long the platform is thought to wait for an answer (contract/gamemonitoring.md).
const PLATFORMS_PATIENCE: Duration = Duration::from_secs(5);

/// A test delivery, and all that was seen of it.
#[derive(Debug)]
pub struct TestDelivery<'a> {
    /// Where it was posted to: `https://votes.example.org`.
    pub origin: &'a str,
    /// `webhook.path`.
    pub path: &'a str,
    /// `webhook.listen`.
    pub listen: &'a str,
    /// What came back.
    pub came: Result<Answer, NoAnswer>,
    /// What arrived here of it, if anything did.
    pub arrived: Option<Seen>,
    /// How long it took.
    pub took: Duration,
}

/// What arrived here of a test delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The path that it had, fit to be shown.
    pub path: String,
    /// The method that it had, fit to be shown.
    pub method: String,
    /// How its body compares to the one that was sent; `None` where it was not looked at.
    pub body: Option<Body>,
    /// What it was answered.
    pub status: u16,
}

/// How a body that has arrived compares to the one that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It is the same.
    Same,
    /// Nothing of it is left.
    Empty,
    /// It is another.
    Changed,
}

/// What was answered to a test delivery, by whomever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The text is one that Votive gives.
    pub is_votives: bool,
    /// Who asks visitors to prove that they are human, if somebody does.
    pub challenge: Option<&'static str>,
    /// The scheme and host that a redirect leads to.
    pub redirect: Option<String>,
    /// A web server says that it speaks HTTPS on this port.
    pub wants_https: bool,
}

/// Why nothing was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The name leads nowhere.
    Dns(String),
    /// Nobody listens there.
    Refused,
    /// Nobody answers at all.
    Unreachable,
    /// The certificate is not valid any more.
    CertificateExpired,
    /// The certificate is not valid yet.
    CertificateNotYetValid,
    /// The certificate comes from nobody whom others trust.
    CertificateUnknown,
    /// The certificate is for other names.
    CertificateForAnother,
    /// Something else about the encrypted connection.
    Tls(String),
    /// HTTPS was spoken to somebody who does not.
    NotTls,
    /// This machine trusts no certificate authority.
    NoAuthorities,
    /// It takes longer than we wait.
    TimedOut,
    /// The connection was closed without an answer.
    Broken(String),
}

/// What it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// Whether the platform's deliveries arrive.
    pub good: bool,
    /// What happened.
    pub what: String,
    /// What to do about it; empty where there is nothing to do.
    pub remedy: String,
}

fn bad(what: impl Into<String>, remedy: impl Into<String>) -> Diagnosis {
    Diagnosis { good: false, what: what.into(), remedy: remedy.into() }
}

/// Finds out what is wrong, if anything is.
pub fn diagnose(sent: &TestDelivery<'_>) -> Diagnosis {
    match (&sent.came, &sent.arrived) {
        (Err(why), arrived) => unanswered(sent, why, arrived.as_ref()),
        (Ok(answer), Some(arrival)) if arrival.status == answer.status => arrived(sent, answer, arrival),
        (Ok(answer), Some(arrival)) => bad(
            format!(
                "The delivery arrived, Votive answered {}, and {} came back: something on the way puts its own answer in place of Votive's.",
                arrival.status, answer.status
            ),
            "Switch off what replaces answers or error pages for this path, in your web server or in the service in front of it.",
        ),
        (Ok(answer), None) => elsewhere(sent, answer),
    }
}

fn unanswered(sent: &TestDelivery<'_>, why: &NoAnswer, arrived: Option<&Seen>) -> Diagnosis {
    let TestDelivery { origin, took, .. } = sent;
    if let Some(arrival) = arrived {
        return bad(
            format!(
                "The delivery arrived and Votive answered {}, but the answer did not come back.",
                arrival.status
            ),
            "Look into the log of your web server: it has to pass answers back at once.",
        );
    }
    let renew = "Renew it, and have your web server load it: restart it, or see why its own renewal fails. Caddy and certbot do it by themselves where port 80 or 443 is open.";
    let router = "If it can be reached from elsewhere, your router does not let this machine reach its own public address: then trust the platform's own test delivery.";
    match why {
        NoAnswer::Dns(why) => bad(
            format!("The name in {origin} leads nowhere: {why}."),
            "Correct the name, or add an A or AAAA record for it where your domain is managed. A new record can take an hour.",
        ),
        NoAnswer::Refused => bad(
            format!("Nobody listens at {origin}: the connection was refused."),
            format!("Start your web server, and let it listen on this port. {router}"),
        ),
        NoAnswer::Unreachable => bad(
            format!("{origin} cannot be reached: the connection was not answered."),
            format!(
                "Open the port in the firewall, and forward it in the router if there is one; see whether the name leads to this machine. {router}"
            ),
        ),
        NoAnswer::CertificateExpired => bad(format!("The certificate of {origin} has expired."), renew),
        NoAnswer::CertificateNotYetValid => bad(
            format!("The certificate of {origin} is not valid yet."),
            "See whether this machine's clock is right; if it is, get a certificate that is valid today.",
        ),
        NoAnswer::CertificateUnknown => bad(
            format!(
                "The certificate of {origin} is self-signed, or from somebody whom nobody trusts, or your web server does not send the certificates between it and a known authority."
            ),
            "Get one from a public authority such as Let's Encrypt (Caddy does it by itself), and give your web server the full chain.",
        ),
        NoAnswer::CertificateForAnother => bad(
            format!("The certificate at {origin} is for other names."),
            "Get one for this name, and let your web server use it for this name.",
        ),
        NoAnswer::Tls(why) => bad(
            format!("No encrypted connection to {origin} comes about: {why}."),
            "Let your web server speak TLS 1.2 or 1.3 there, with a certificate of a public authority.",
        ),
        NoAnswer::NotTls => bad(
            format!("{origin} does not speak HTTPS on this port."),
            "Switch HTTPS on in your web server, or name the port where it does speak it.",
        ),
        NoAnswer::NoAuthorities => bad(
            "This machine knows no certificate authority, so nothing can be said about HTTPS.",
            "Install the system's certificate authorities (Debian: ca-certificates) and restart Votive.",
        ),
        NoAnswer::TimedOut => bad(
            format!(
                "{origin} took the connection and did not answer within {} s. Nothing arrived here.",
                took.as_secs()
            ),
            format!("Let your web server pass this path on to {}, and nowhere else.", sent.listen),
        ),
        NoAnswer::Broken(why) => bad(
            format!(
                "{origin} closed the connection without an answer{}. Nothing arrived here.",
                because(why)
            ),
            "Look into the log of your web server, or of the firewall in front of it.",
        ),
    }
}

fn because(why: &str) -> impl Display {
    fmt::from_fn(move |f| if why.is_empty() { Ok(()) } else { write!(f, " ({why})") })
}

/// It arrived, and came back as it was answered here.
fn arrived(sent: &TestDelivery<'_>, answer: &Answer, arrival: &Seen) -> Diagnosis {
    let TestDelivery { path, took, .. } = sent;
    let milliseconds = took.as_millis();
    let unchanged = "Let your web server pass the body on as it comes, of up to 16 KiB, and switch off what rewrites or filters requests for this path.";
    match (answer.status, arrival.body) {
        (204, _) if *took > PLATFORMS_PATIENCE => bad(
            format!(
                "The delivery arrived and was answered, but it took {milliseconds} ms. The platform may have given up by then."
            ),
            "See what keeps your web server, or the service in front of it, so long: a delivery should be answered within 5 s.",
        ),
        (204, _) => Diagnosis {
            good: true,
            what: format!(
                "All is well: the delivery arrived, its signature is good, and the answer was back after {milliseconds} ms."
            ),
            remedy: String::new(),
        },
        (404, _) => bad(
            format!("The delivery arrived with the path {}, and webhook.path is {path}.", arrival.path),
            "Let your web server pass the path on as it is, or set webhook.path to what arrives and reload Votive.",
        ),
        (405, _) => bad(
            format!("The delivery was sent as a POST and arrived as a {}.", arrival.method),
            "Something on the way follows a redirect, or changes the method: let it pass the request on as it is.",
        ),
        (_, Some(Body::Empty)) => {
            bad("The delivery arrived without its body: something on the way has eaten it.", unchanged)
        }
        (_, Some(Body::Changed)) => bad(
            "The delivery arrived with another body than was sent: something on the way changes it, so that its signature is wrong.",
            unchanged,
        ),
        (401, _) => bad(
            "The delivery arrived as it was sent, and its signature was wrong: the signing token was changed at this moment.",
            "Try again.",
        ),
        (status, _) => bad(
            format!(
                "The delivery arrived, and Votive answered {status}, as it did not get the whole of it in time."
            ),
            unchanged,
        ),
    }
}

/// Somebody answered, and nothing arrived here.
fn elsewhere(sent: &TestDelivery<'_>, answer: &Answer) -> Diagnosis {
    let TestDelivery { origin, path, listen, .. } = sent;
    let status = answer.status;
    let pass_on = format!("Let your web server pass {path} on to {listen}, as README.md shows.");
    if let Some(whose) = answer.challenge {
        return bad(
            format!(
                "{whose} answered {status} with a page that asks whether the visitor is human. The platform is not, so its deliveries do not arrive."
            ),
            format!(
                "Make an exception for {path} there: no challenge, no bot protection, no captcha for it."
            ),
        );
    }
    match status {
        300..=399 => redirected(origin, answer),
        _ if answer.wants_https => bad(
            format!("{origin} speaks HTTPS on this port, and was sent plain HTTP."),
            "Write https:// in front of the address, here and at the platform.",
        ),
        200..=299 => bad(
            format!(
                "Somebody answered {status}, and nothing arrived here: at {origin}, another server answers, or another Votive than this one."
            ),
            format!(
                "See that the name leads to this machine, and that its web server passes {path} on to {listen}, where this Votive listens."
            ),
        ),
        400 | 401 | 404 if answer.is_votives => bad(
            format!(
                "Another Votive than this one answered {status}: nothing arrived here. With a right address and another signing token or webhook.path it would answer so."
            ),
            format!(
                "Stop the other one, or let your web server pass {path} on to {listen}, where this one listens."
            ),
        ),
        401 => bad(
            "Your web server, or something in front of it, asks for a password (401): nothing arrived here. The platform has none.",
            format!("Switch the password off for {path}."),
        ),
        403 | 429 | 451 => bad(
            format!(
                "A firewall, a bot protection or your web server turned the delivery away with {status}: nothing arrived here."
            ),
            format!(
                "Make an exception for {path}; the platform's requests are a program's, without cookies, and may come from any of its addresses."
            ),
        ),
        404 | 410 => bad(
            format!("Your web server answered {status}: it knows no such path, and nothing arrived here."),
            format!("Compare the address with webhook.path, which is {path}. {pass_on}"),
        ),
        405 | 501 => bad(
            format!(
                "Your web server answered {status}: it takes no POST at this path, and nothing arrived here."
            ),
            pass_on,
        ),
        400 | 411 | 413..=417 | 422 | 431 => bad(
            format!(
                "Your web server answered {status} by itself: it did not take the request, and nothing arrived here."
            ),
            format!(
                "Let it take JSON bodies of up to 16 KiB at {path} (nginx: client_max_body_size 16k). {pass_on}"
            ),
        ),
        502..=504 => bad(
            format!(
                "Your web server answered {status}: it cannot reach Votive, and nothing arrived here. This Votive runs and listens on {listen}."
            ),
            format!(
                "Let it pass {path} on to exactly that address; in a container, 127.0.0.1 is the container itself."
            ),
        ),
        520..=530 => bad(
            format!(
                "Cloudflare answered {status}: it cannot reach your web server, and nothing arrived here."
            ),
            "See that your web server runs, that the firewall lets Cloudflare through, and that its encryption mode fits: \"Full\" needs a certificate on your web server.",
        ),
        500..=599 => bad(
            format!("Your web server answered {status}: it failed by itself, and nothing arrived here."),
            format!("Look into its log. {pass_on}"),
        ),
        _ => bad(format!("Somebody answered {status} at {origin}, and nothing arrived here."), pass_on),
    }
}

fn redirected(origin: &str, answer: &Answer) -> Diagnosis {
    let status = answer.status;
    match answer.redirect.as_deref() {
        Some(to) if origin.strip_prefix("http://") == to.strip_prefix("https://") => bad(
            format!(
                "{origin} answered {status}: it sends visitors on to {to}. The platform follows no redirects, so nothing arrives here."
            ),
            "Write https:// in front of the address, here and at the platform.",
        ),
        Some(to) if origin == to => bad(
            format!(
                "{origin} answered {status}: it sends visitors on to another path. The platform follows no redirects, so nothing arrives here."
            ),
            "Enter the path exactly as your web server passes it on, with or without a / at its end, here and at the platform.",
        ),
        Some(to) => bad(
            format!(
                "{origin} answered {status}: it sends visitors on to {to}. The platform follows no redirects, so nothing arrives here."
            ),
            "Enter the address that it leads to, here and at the platform, or take the redirect away for this path.",
        ),
        None => bad(
            format!("{origin} answered {status}, a redirect that leads nowhere. Nothing arrived here."),
            "Take the redirect away for this path.",
        ),
    }
}
