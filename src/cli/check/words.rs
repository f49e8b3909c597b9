//! What was found online, for a person.

use std::fmt::{self, Display, Formatter};

use super::counted;
use super::found::{ApiFound, Can, Finding, Found, ServerFound, State};
use crate::config::Level;
use crate::domain::presence::ListStyle;
use crate::domain::reward::ReceiptRule;

impl Display for Found {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for server in &self.servers {
            writeln!(f, "{server}")?;
        }
        writeln!(f, "{}", self.api)?;
        if self.daemon_runs {
            writeln!(
                f,
                "Votive is running, or this user may not know. The game servers were therefore logged in to and not asked what\nthey can do: a game server can mix up the answers of two who ask at once. Stop Votive to have them asked."
            )?;
        }
        let failed = self.failed();
        let servers = counted(self.servers.len(), "game server");
        match failed.len() {
            0 => write!(f, "online: {servers} and the API answer"),
            count => {
                let asked = self.servers.len() + 1;
                write!(f, "online: {count} of {asked} did not pass: {}", failed.join(", "))
            }
        }
    }
}

impl Display for ServerFound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.names.join(", "), self.address)?;
        match (&self.can, self.state) {
            (Some(can), _) => write!(f, ": logged in, and it answers within {} ms{can}", can.answer_ms + 1)?,
            (None, State::LoggedIn) => f.write_str(": logged in")?,
            (None, _) => f.write_str(": failed")?,
        }
        told(f, &self.findings)?;
        write!(f, "\n    advice: {}", self.advice)
    }
}

impl Display for Can {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(style) = self.list_style {
            let form = match style {
                ListStyle::OwnPattern => "in the form of your `replies.list`",
                ListStyle::Vanilla => "in vanilla's form",
                ListStyle::NoPlayersOnline => "in the form `There are no players online.`",
                ListStyle::PlayersCounted => "in the form `Players (1): …`",
                ListStyle::Essentials => "in EssentialsX's form",
            };
            let players = self.players_online.map_or("?".to_owned(), |count| count.to_string());
            write!(f, "\n    players: it tells who is online {form}, now {players}")?;
            if !self.list_is_complete && self.tells_of_players {
                f.write_str("; who is not in its list is asked for with `execute if entity`")?;
            }
        }
        f.write_str(match self.takes_minecraft_names {
            true => "\n    names: it takes `minecraft:give` and the like, past plug-ins",
            false => "\n    names: it does not take `minecraft:give` and the like, so commands go out as you wrote them",
        })?;
        f.write_str(match (self.keeps_receipts, self.receipts) {
            (true, ReceiptRule::Never) => "\n    receipts: it could keep them, and `receipts: never` leaves none: a command that breaks off is in doubt",
            (true, _) => "\n    receipts: it keeps them, so that a command that breaks off is settled without you",
            (false, _) => "\n    receipts: it keeps none, so that a command that breaks off is in doubt, and waits for `votive resolve`",
        })
    }
}

impl Display for ApiFound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "the API ({})", self.address)?;
        match self.answer_ms {
            Some(took) => write!(f, ": it answers within {} ms", took + 1)?,
            None => f.write_str(": failed")?,
        }
        told(f, &self.findings)
    }
}

fn told(f: &mut Formatter<'_>, findings: &[Finding]) -> fmt::Result {
    for Finding { level, message, remedy } in findings {
        let level = match level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        write!(f, "\n    {level}: {message}\n        help: {remedy}")?;
    }
    Ok(())
}
