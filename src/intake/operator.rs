//! What the operator asks of the running daemon.

use super::{AwardFact, EventKey, Fact, Grant, Instant, Intake, LedgerError, Standing, Vote, log};
use crate::domain::award::{Award, AwardState};
use crate::domain::event::TEST_VOTE;
use crate::domain::vote::ServerRef;

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
        if let Ok(grant) = self.apply(&event, self.fetched(vote)).await? {
            log::planned(&grant, &self.config);
            self.go_on(&grant);
        }
        let standing = self.outcome(&mut follower, deadline).await;
        Ok((event, standing))
    }

    /// Settles what is in doubt about an event, or about one `reward` of it, as the operator found it. Gives the names
    /// of the rewards.
    ///
    /// # Errors
    /// [`NotSettled`] where there is nothing to settle.
    pub async fn settle(
        &self,
        event_id: &str,
        reward: Option<&str>,
        ran: bool,
    ) -> Result<Vec<String>, NotSettled> {
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
                log::settled(&grant.event, &award.reward, ran);
                settled.push(award.reward.clone());
                after = Some(grant);
            }
        }
        let grant = after.ok_or_else(|| NotSettled::NothingInDoubt(event_id.to_owned()))?;
        self.go_on(&grant);
        Ok(settled)
    }
}
