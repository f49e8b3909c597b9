//! What the demo claims, held against what the game servers and the platform recorded. Pure.

use std::collections::BTreeMap;

use crate::sim::game::Record;
use crate::sim::platform::PlatformRecord;

/// A claim, and everything that speaks against it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) claim: String,
    pub(super) against: Vec<String>,
}

impl Check {
    pub(super) fn holds(&self) -> bool {
        self.against.is_empty()
    }
}

/// What the scenes have promised of one game server.
#[derive(Debug, Default)]
pub(super) struct Promised {
    /// Commands; each player is rewarded once, so no two are the same.
    pub(super) commands: Vec<String>,
    /// What each player owns in the end.
    pub(super) belongings: BTreeMap<String, Belongings>,
}

/// What a player was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Belongings {
    pub(super) items: BTreeMap<String, u64>,
    pub(super) experience: u64,
}

/// How a delivery was to be answered, and how it was.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) event_id: String,
    pub(super) promised: u16,
    pub(super) given: Option<u16>,
}

/// Whether a command is Votive's own business: it asks the game something, or notes in its storage that a step comes.
/// Anything else has to have been promised.
pub(super) fn is_own(command: &str) -> bool {
    matches!(command, "list" | "minecraft:list") || command.starts_with("data ")
}

/// Every promised command ran exactly once.
pub(super) fn each_once(server: &str, promised: &Promised, record: &Record) -> Check {
    let times = |command: &str| {
        let effects = record.console.iter().flat_map(|executed| &executed.effects);
        effects.filter(|effect| *effect == command).count()
    };
    let commands = promised.commands.iter();
    Check {
        claim: format!("{server} ran each of {} commands exactly once", promised.commands.len()),
        against: commands
            .map(|command| (command, times(command)))
            .filter(|(_, times)| *times != 1)
            .map(|(command, times)| format!("ran {times} times: {command}"))
            .collect(),
    }
}

/// Nothing ran but what was promised.
pub(super) fn nothing_else(server: &str, promised: &Promised, record: &Record) -> Check {
    let effects = record.console.iter().flat_map(|executed| &executed.effects);
    let (own, acts): (Vec<_>, Vec<_>) = effects.partition(|command| is_own(command));
    let lists = own.iter().filter(|command| command.ends_with("list")).count();
    let noted = own.len() - lists;
    Check {
        claim: format!(
            "{server} ran nothing else; {lists} times it was asked who is online, {noted} times it noted or read a receipt"
        ),
        against: acts
            .into_iter()
            .filter(|command| !promised.commands.contains(command))
            .map(|command| format!("also ran: {command}"))
            .collect(),
    }
}

/// Every player owns what was promised, no more and no less.
pub(super) fn belongings(server: &str, promised: &Promised, found: impl Fn(&str) -> Belongings) -> Check {
    let players: Vec<&str> = promised.belongings.keys().map(String::as_str).collect();
    let against = promised.belongings.iter().filter_map(|(player, promised)| {
        let found = found(player);
        (found != *promised).then(|| format!("{player} has {}, not {}", told(&found), told(promised)))
    });
    Check {
        claim: format!("on {server}, {} have their rewards, no more and no less", players.join(", ")),
        against: against.collect(),
    }
}

fn told(belongings: &Belongings) -> String {
    let mut things: Vec<String> =
        (belongings.items.iter()).map(|(item, count)| format!("{count} {item}")).collect();
    things.push(format!("{} experience", belongings.experience));
    things.join(" and ")
}

/// Every delivery was answered as promised.
pub(super) fn answers(answers: &[Answer]) -> Check {
    let against = answers.iter().filter(|answer| answer.given != Some(answer.promised)).map(|answer| {
        let given = answer.given.map_or_else(|| "not at all".to_owned(), |status| status.to_string());
        format!("{} was answered {given}, not {}", answer.event_id, answer.promised)
    });
    Check {
        claim: format!("all {} deliveries were answered as they should be", answers.len()),
        against: against.collect(),
    }
}

/// The API was asked for each of these votes once, and for nothing else.
pub(super) fn questions(votes: &[String], record: &PlatformRecord) -> Check {
    let known = votes.iter().map(|id| (id, record.asked(id)));
    let mut against: Vec<String> = known
        .clone()
        .filter(|(_, times)| *times != 1)
        .map(|(id, times)| format!("asked {times} times for {id}"))
        .collect();
    let others = record.requests.len() - known.map(|(_, times)| times).sum::<usize>();
    if others > 0 {
        against.push(format!("asked {others} times for something else"));
    }
    Check {
        claim: format!(
            "the API was asked once for each of {} votes, never for a forged or a test delivery",
            votes.len()
        ),
        against,
    }
}

/// No game server had a reason to close a connection.
pub(super) fn manners(records: &[(&str, &Record)]) -> Check {
    let against = records.iter().flat_map(|(server, record)| {
        let broken = record.violations.iter().map(|why| format!("{server}: {why}"));
        let refused = (record.refusals > 0).then(|| format!("{server} refused {} logins", record.refusals));
        broken.chain(refused).collect::<Vec<_>>()
    });
    Check {
        claim: "no game server found fault with a login or a frame".to_owned(),
        against: against.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::game::Executed;

    const GIVE: &str = "give Steve minecraft:diamond 3";
    const SAY: &str = "say Steve voted for survival. Thank you!";

    fn promised() -> Promised {
        let diamonds = Belongings { items: BTreeMap::from([("diamond".to_owned(), 3)]), experience: 0 };
        Promised {
            commands: vec![SAY.to_owned(), GIVE.to_owned()],
            belongings: BTreeMap::from([("Steve".to_owned(), diamonds)]),
        }
    }

    fn record(commands: &[&str]) -> Record {
        let console = commands.iter().map(|command| Executed {
            command: (*command).to_owned(),
            reply: String::new(),
            effects: vec![(*command).to_owned()],
            answered: true,
            connection: 1,
        });
        Record { console: console.collect(), ..Record::default() }
    }

    #[test]
    fn what_ran_as_promised_holds() {
        let record = record(&["minecraft:list", SAY, "list", "data get storage x", GIVE]);
        assert!(each_once("survival", &promised(), &record).holds());
        let check = nothing_else("survival", &promised(), &record);
        assert!(check.holds());
        assert_eq!(
            check.claim,
            "survival ran nothing else; 2 times it was asked who is online, 1 times it noted or read a receipt"
        );
    }

    #[test]
    fn a_command_that_ran_twice_is_found() {
        let check = each_once("survival", &promised(), &record(&[SAY, GIVE, "list", GIVE]));
        assert_eq!(check.against, [format!("ran 2 times: {GIVE}")]);
    }

    #[test]
    fn a_command_that_did_not_run_is_found() {
        let check = each_once("survival", &promised(), &record(&[SAY, "list"]));
        assert_eq!(check.against, [format!("ran 0 times: {GIVE}")]);
    }

    #[test]
    fn a_command_that_nobody_promised_is_found() {
        for smuggled in ["give @a minecraft:diamond 3", "give steve minecraft:diamond 3", "list uuids", ""] {
            let check = nothing_else("survival", &promised(), &record(&[SAY, GIVE, smuggled]));
            assert_eq!(check.against, [format!("also ran: {smuggled}")]);
        }
    }

    #[test]
    fn wrong_belongings_are_found() {
        let six = Belongings { items: BTreeMap::from([("diamond".to_owned(), 6)]), experience: 0 };
        let three = promised().belongings["Steve"].clone();
        assert!(belongings("survival", &promised(), |_| three.clone()).holds());
        let check = belongings("survival", &promised(), |_| six.clone());
        assert_eq!(check.against, ["Steve has 6 diamond and 0 experience, not 3 diamond and 0 experience"]);
        assert!(!belongings("survival", &promised(), |_| Belongings::default()).holds());
        let richer = Belongings { experience: 100, ..three };
        assert!(!belongings("survival", &promised(), |_| richer.clone()).holds());
    }

    #[test]
    fn a_wrong_answer_is_found_and_so_is_none() {
        let answer = |given| Answer { event_id: "vote-1".to_owned(), promised: 401, given };
        assert!(answers(&[answer(Some(401))]).holds());
        let check = answers(&[answer(Some(401)), answer(Some(204)), answer(None)]);
        assert_eq!(
            check.against,
            ["vote-1 was answered 204, not 401", "vote-1 was answered not at all, not 401"]
        );
    }

    #[test]
    fn a_question_too_many_or_too_few_is_found() {
        let asked = |ids: &[&str]| PlatformRecord {
            requests: ids.iter().map(|id| format!("GET /votes/{id} HTTP/1.1")).collect(),
            ..PlatformRecord::default()
        };
        let votes = ["vote-1".to_owned(), "vote-2".to_owned()];
        assert!(questions(&votes, &asked(&["vote-2", "vote-1"])).holds());
        let check = questions(&votes, &asked(&["vote-1", "vote-1", "forged"]));
        assert_eq!(
            check.against,
            ["asked 2 times for vote-1", "asked 0 times for vote-2", "asked 1 times for something else"]
        );
    }

    #[test]
    fn a_fault_on_the_wire_is_found() {
        let (good, mut bad) = (record(&[GIVE]), record(&[]));
        assert!(manners(&[("survival", &good)]).holds());
        bad.violations.push("two frames in one read".to_owned());
        bad.refusals = 2;
        let check = manners(&[("survival", &good), ("skyblock", &bad)]);
        assert_eq!(check.against, ["skyblock: two frames in one read", "skyblock refused 2 logins"]);
    }
}
