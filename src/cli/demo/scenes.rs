//! The scenes of the demo. Each does something to the daemon from outside, waits for what has to come of it, shows
//! it, and notes what it promises; whether that was kept is for `check` to say in the end.

use std::collections::BTreeMap;
use std::io;

use super::check::{self, Answer, Belongings, Check, Promised};
use super::screen;
use super::stage::Stage;
use crate::domain::event::SERVER_VOTE;
use crate::sim::game::{Game, Record};
use crate::sim::platform::{Answered, Delivery, Platform};

/// One scene.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scene {
    Vote,
    Twice,
    Forged,
    Test,
    Offline,
    Restarted,
    Down,
    Nickname,
}

impl Scene {
    /// All of them, in the order in which they are played.
    pub(super) const ALL: [Scene; 8] = [
        Scene::Vote,
        Scene::Twice,
        Scene::Forged,
        Scene::Test,
        Scene::Offline,
        // After an outage, an early second one makes Votive wait before it tries again; so this order.
        Scene::Restarted,
        Scene::Down,
        Scene::Nickname,
    ];

    /// What it is called, and what it shows, for somebody who has a server.
    pub(super) fn about(self) -> (&'static str, &'static str) {
        match self {
            Scene::Vote => (
                "A vote",
                "Steve is in the game and votes: his commands run, then the platform hears that all is well.",
            ),
            Scene::Twice => (
                "The same vote, delivered twice at once",
                "Deliveries can repeat, even at the same moment. Alex is rewarded once, and both are answered.",
            ),
            Scene::Forged => (
                "A forged signature",
                "Somebody who does not know your signing token claims that Steve has voted.",
            ),
            Scene::Test => (
                "A test delivery",
                "The test button at GAMEMONITORING: the signature is good, and nothing is issued.",
            ),
            Scene::Offline => (
                "A player who is offline",
                "Noor votes without being in the game. The diamonds wait, and arrive when Noor joins.",
            ),
            Scene::Restarted => (
                "A restart between two votes",
                "When Zuri votes, the old connection is dead. That is noticed before a command is sent.",
            ),
            Scene::Down => (
                "A game server that is down",
                "Sunny votes while skyblock is down. You are told why it takes longer, and nothing is lost.",
            ),
            Scene::Nickname => (
                "A nickname that is a trap",
                "Nicknames come from strangers. In a command, @a would mean everybody in the game.",
            ),
        }
    }
}

/// A game server and what has become of it so far.
pub(super) struct Server {
    name: &'static str,
    id: u64,
    game: Game,
    promised: Promised,
    /// How much of its console has been shown.
    shown: usize,
}

impl Server {
    fn new(name: &'static str, id: u64, game: &Game, players: &[&str]) -> Self {
        players.iter().for_each(|player| game.join(player));
        Server { name, id, game: game.clone(), promised: Promised::default(), shown: 0 }
    }

    /// A player is to get what the shipped `rewards.yaml` gives for a vote for this server.
    fn promise(&mut self, player: &str, commands: [String; 2], item: (&str, u64), experience: u64) {
        self.promised.commands.extend(commands);
        let belongings = Belongings { items: BTreeMap::from([(item.0.to_owned(), item.1)]), experience };
        self.promised.belongings.insert(player.to_owned(), belongings);
    }

    /// Waits until everything that was promised so far has run.
    async fn until_promised(&self) {
        for command in &self.promised.commands {
            let ran = |record: &Record| {
                let mut console = record.console.iter();
                console.any(|executed| executed.answered && executed.effects.contains(command))
            };
            self.game.until(ran).await;
        }
    }

    /// Shows the commands that have taken effect since the last time, without Votive's own notes and without the guards
    /// before them; whether there was anything.
    fn show(&mut self) -> io::Result<bool> {
        let console = self.game.console();
        let mut any = false;
        for executed in &console[self.shown..] {
            for effect in executed.effects.iter().filter(|effect| !check::is_own(effect)) {
                screen::console(self.name, effect, &executed.reply)?;
                any = true;
            }
        }
        self.shown = console.len();
        Ok(any)
    }

    /// Shows what its console receives as it happens, until dropped.
    pub(super) async fn follow(&mut self) -> io::Result<()> {
        loop {
            let shown = self.shown;
            self.game.until(|record| record.console.len() > shown).await;
            self.show()?;
        }
    }

    fn belongings(&self, player: &str) -> Belongings {
        Belongings { items: self.game.inventory(player), experience: self.game.experience(player) }
    }
}

/// What has been played so far, and what is needed to go on.
pub(super) struct Story {
    pub(super) platform: Platform,
    pub(super) survival: Server,
    pub(super) skyblock: Server,
    pub(super) webhook: String,
    answers: Vec<Answer>,
    /// The votes that the API has to be asked for.
    votes: Vec<String>,
}

impl Story {
    pub(super) fn new(stage: &Stage) -> Self {
        Story {
            platform: stage.platform.clone(),
            survival: Server::new("survival", 1, &stage.survival, &["Steve", "Alex"]),
            skyblock: Server::new("skyblock", 2, &stage.skyblock, &["Kai", "Sunny", "Zuri"]),
            webhook: stage.daemon.webhook.clone(),
            answers: Vec::new(),
            votes: Vec::new(),
        }
    }

    /// Plays one scene, to its end.
    pub(super) async fn play(&mut self, scene: Scene) -> io::Result<()> {
        match scene {
            Scene::Vote => {
                let vote = self.survival_vote("vote-1", "Steve")?;
                self.deliver(&vote, 204).await
            }
            Scene::Twice => {
                let vote = self.survival_vote("vote-2", "Alex")?;
                screen::happens("delivered", "vote-2 once more, at the same moment")?;
                let (one, other) = tokio::join!(
                    self.platform.deliver(&self.webhook, &vote),
                    self.platform.deliver(&self.webhook, &vote)
                );
                self.show_consoles()?;
                self.answered(&one, 204)?;
                self.answered(&other, 204)
            }
            Scene::Forged => {
                // The API would confirm this vote, if it were asked.
                self.platform.vote("vote-3", "Steve", self.survival.id);
                screen::happens("delivered", "vote-3: Steve for survival, signed with another token")?;
                let forged = self.platform.delivery(SERVER_VOTE, "vote-3").forged();
                self.deliver(&forged, 401).await
            }
            Scene::Test => {
                self.platform.vote("vote-4", "Steve", self.survival.id);
                screen::happens("delivered", "vote-4: a test")?;
                let test = self.platform.delivery(SERVER_VOTE, "vote-4").test();
                self.deliver(&test, 204).await
            }
            Scene::Offline => {
                let vote = self.survival_vote("vote-5", "Noor")?;
                self.deliver(&vote, 204).await?;
                screen::happens("survival", "Noor joins the game")?;
                self.survival.game.join("Noor");
                self.survival.until_promised().await;
                self.show_consoles()
            }
            Scene::Restarted => {
                let first = self.skyblock_vote("vote-6", "Kai")?;
                self.deliver(&first, 204).await?;
                screen::happens("skyblock", "stops and is back")?;
                self.skyblock.game.stop().await;
                self.skyblock.game.start_again()?;
                let second = self.skyblock_vote("vote-7", "Zuri")?;
                self.deliver(&second, 204).await
            }
            Scene::Down => {
                screen::happens("skyblock", "stops")?;
                self.skyblock.game.stop().await;
                let vote = self.skyblock_vote("vote-8", "Sunny")?;
                self.deliver(&vote, 503).await?;
                screen::happens("skyblock", "is back")?;
                self.skyblock.game.start_again()?;
                self.skyblock.until_promised().await;
                self.show_consoles()
            }
            Scene::Nickname => {
                let vote = self.vote("vote-9", "@a", &("survival", self.survival.id))?;
                self.deliver(&vote, 422).await
            }
        }
    }

    /// Everything that was promised, held against the records.
    pub(super) fn checks(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        let servers = [&self.survival, &self.skyblock].map(|server| (server, server.game.record()));
        for (Server { name, promised, .. }, record) in &servers {
            checks.push(check::each_once(name, promised, record));
            checks.push(check::nothing_else(name, promised, record));
        }
        for (server, _) in &servers {
            checks.push(check::belongings(server.name, &server.promised, |player| server.belongings(player)));
        }
        checks.push(check::answers(&self.answers));
        checks.push(check::questions(&self.votes, &self.platform.record()));
        checks.push(check::manners(&servers.each_ref().map(|(server, record)| (server.name, record))));
        checks
    }

    fn survival_vote(&mut self, id: &str, player: &str) -> io::Result<Delivery> {
        let commands = [
            format!("say {player} voted for survival. Thank you!"),
            format!("give {player} minecraft:diamond 3"),
        ];
        self.survival.promise(player, commands, ("diamond", 3), 0);
        self.vote(id, player, &(self.survival.name, self.survival.id))
    }

    fn skyblock_vote(&mut self, id: &str, player: &str) -> io::Result<Delivery> {
        let commands = [format!("give {player} minecraft:emerald 5"), format!("xp add {player} 100 points")];
        self.skyblock.promise(player, commands, ("emerald", 5), 100);
        self.vote(id, player, &(self.skyblock.name, self.skyblock.id))
    }

    /// Somebody votes: from now on the API knows it, and it can be delivered.
    fn vote(&mut self, id: &str, nickname: &str, (server, server_id): &(&str, u64)) -> io::Result<Delivery> {
        self.platform.vote(id, nickname, *server_id);
        self.votes.push(id.to_owned());
        screen::happens("delivered", &format!("{id}: {nickname} for {server}"))?;
        Ok(self.platform.delivery(SERVER_VOTE, id))
    }

    /// Delivers, and shows what the consoles received until the answer came, and the answer.
    async fn deliver(&mut self, delivery: &Delivery, promised: u16) -> io::Result<()> {
        let answered = self.platform.deliver(&self.webhook, delivery).await;
        self.show_consoles()?;
        self.answered(&answered, promised)
    }

    fn answered(&mut self, answered: &Answered, promised: u16) -> io::Result<()> {
        self.answers.push(Answer { event_id: answered.event_id.clone(), promised, given: answered.status });
        screen::answer(answered)
    }

    fn show_consoles(&mut self) -> io::Result<()> {
        let (survival, skyblock) = (self.survival.show()?, self.skyblock.show()?);
        if survival || skyblock { Ok(()) } else { screen::quiet() }
    }
}
