//! What the operator asks of the running daemon.

use std::io;

use bytes::Bytes;

use super::{
    Action, Arc, AwardFact, EventKey, Fact, Grant, Instant, Intake, LedgerError, Stage, Standing, Vote,
};
use crate::domain::award::{Award, AwardState};
use crate::domain::event::TEST_VOTE;
use crate::domain::vote::ServerRef;

/// What was settled.
#[derive(Debug)]
pub struct Settled {
    /// The names of the rewards.
    pub rewards: Vec<String>,
    /// Commands of theirs that are in doubt next: after a restore, nobody knows whether these ran either.
    pub next: Vec<String>,
}

/// Why nothing was settled. Shown to the operator.
#[derive(Debug, thiserror::Error)]
pub enum NotSettled {
    /// No grant has this id.
    #[error("The ledger has no vote with the id {0}. The log and the platform's interface show the ids.")]
    Unknown(String),
    /// The grant is there, and nothing of it is in doubt.
    #[error("Nothing of that is in doubt about the vote {0}, so there is nothing to settle.")]
    NothingInDoubt(String),
    /// The ledger has failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Why nothing was tried again. Shown to the operator.
#[derive(Debug, thiserror::Error)]
pub enum NotRetried {
    /// No grant has this id.
    #[error(
        "The ledger has no vote with the id {0}. The log and the platform's interface show the ids; a vote that Votive has never heard of has to be delivered by the platform first."
    )]
    Unknown(String),
    /// The grant is open, or granted.
    #[error("Nothing of the vote {event} is refused or closed, so there is nothing to try again: {stands}.")]
    NothingToRetry {
        /// Which one.
        event: EventKey,
        /// How it stands instead.
        stands: &'static str,
    },
    /// The ledger has failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Intake {
    /// Issues what a vote of `player` for the game server of this name would earn, through everything but the
    /// platform. Gives the event and how its grant stands, at the latest at `deadline`.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn test_vote(
        &self,
        player: &str,
        server: &str,
        deadline: Instant,
    ) -> Result<(EventKey, Standing), LedgerError> {
        let event = EventKey::new(TEST_VOTE, &format!("test-{:016x}", fastrand::u64(..)));
        let server = ServerRef::Name(server.to_owned());
        let created_at = Some(self.surroundings.clock.now());
        let vote = Vote { nickname: player.to_owned(), server, user_id: None, created_at };
        let (mut follower, _) = self.board.follow(&event);
        // A grant that was received just now can be planned.
        let config = self.config.now();
        if let Ok(grant) = self.fetched(&config, &event, &vote).await? {
            self.surroundings.report.planned(&grant, &config);
            self.go_on(&grant);
        }
        let standing = self.outcome(&mut follower, deadline).await;
        Ok((event, standing))
    }

    /// Settles what is in doubt about an event, or about one `reward` of it, as the operator found it.
    ///
    /// # Errors
    /// [`NotSettled`] where there is nothing to settle.
    pub async fn settle(
        &self,
        event_id: &str,
        reward: Option<&str>,
        ran: bool,
    ) -> Result<Settled, NotSettled> {
        let unknown = || NotSettled::Unknown(event_id.to_owned());
        let record = self.ledger.find(event_id)?.ok_or_else(unknown)?;
        let awards = record.grant.plan().map_or(&[][..], |plan| &plan.awards);
        let mut settled: Vec<String> = Vec::new();
        let mut after: Option<Grant> = None;
        // What comes into doubt from here on is not what the operator has looked at.
        let doubtful = |award: &Award| matches!(award.state, AwardState::InDoubt { .. });
        let meant = |award: &Award| doubtful(award) && reward.is_none_or(|name| name == award.reward);
        for (index, award) in awards.iter().enumerate().filter(|(_, award)| meant(award)) {
            let fact = Fact::Award(index, AwardFact::Settled { ran });
            // Somebody else may have settled it in the meantime.
            if let Ok(grant) = self.apply(&record.grant.event, fact).await? {
                let config = self.config.now();
                self.surroundings.report.settled(&grant, index, ran, &config, self.surroundings.clock.now());
                settled.push(award.reward.clone());
                after = Some(grant);
            }
        }
        let grant = after.ok_or_else(|| NotSettled::NothingInDoubt(event_id.to_owned()))?;
        let plan = grant.plan().into_iter();
        let in_doubt = plan.flat_map(|plan| &plan.awards).filter(|award| settled.contains(&award.reward));
        let in_doubt = in_doubt.filter(|award| doubtful(award)).filter_map(Award::next_step);
        let next: Vec<String> = in_doubt.map(|step| step.command.clone()).collect();
        if !next.is_empty() {
            self.surroundings.report.doubts(&grant, &self.config.now());
        }
        self.go_on(&grant);
        Ok(Settled { rewards: settled, next })
    }

    /// Tries again what is refused or closed about an event, with the rewards as they are today and whatever may have
    /// been issued before. Gives the event, the name of its game server and how its grant stands, at the latest at
    /// `deadline`.
    ///
    /// # Errors
    /// [`NotRetried`] where there is nothing to try again.
    pub async fn retry(
        self: &Arc<Self>,
        event_id: &str,
        deadline: Instant,
    ) -> Result<(EventKey, String, Standing), NotRetried> {
        let unknown = || NotRetried::Unknown(event_id.to_owned());
        let grant = self.ledger.find(event_id)?.ok_or_else(unknown)?.grant;
        let (mut follower, _) = self.board.follow(&grant.event);
        let config = self.config.now();
        let Ok(again) = self.plan(&config, &grant.event, grant.vote(), Fact::Retried).await? else {
            let stands = match grant.stage {
                Stage::Received { .. } => "the API is still being asked for it",
                _ if grant.is_open() => "it is still being issued, or in doubt",
                _ => "it is granted",
            };
            return Err(NotRetried::NothingToRetry { event: grant.event, stands });
        };
        self.surroundings.report.retried(&again.event);
        // Whoever follows it already wants to know how it stands after this.
        self.board.publish(&again.event, Standing::Working);
        if again.actions() == [Action::Fetch] {
            let (setter, _) = self.board.follow(&again.event);
            self.tasks.spawn(Arc::clone(self).advance(again.event.clone(), setter));
        } else {
            self.surroundings.report.planned(&again, &config);
            self.go_on(&again);
        }
        let standing = self.outcome(&mut follower, deadline).await;
        // The vote may have been fetched only now.
        let record = self.ledger.get(&again.event)?;
        let config = self.config.now();
        let server =
            record.and_then(|record| Some(config.server(&record.grant.vote()?.server)?.name.clone()));
        Ok((again.event, server.unwrap_or_else(|| "its server".to_owned()), standing))
    }

    /// A backup of the ledger as it is at this moment, in pieces. It breaks off when Votive is stopped.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub fn backup(&self) -> Result<impl Iterator<Item = io::Result<Bytes>> + Send + use<>, LedgerError> {
        let (backup, shutdown) = (self.ledger.backup(self.surroundings.clock.now())?, self.shutdown.clone());
        Ok(backup.map(move |piece| match piece {
            _ if shutdown.is_cancelled() => Err(io::Error::other("Votive is stopping")),
            piece => piece.map_err(io::Error::other),
        }))
    }
}
