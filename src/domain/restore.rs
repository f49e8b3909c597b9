//! What the records of a backup are worth once the ledger is restored from it: what happened after the backup was
//! taken is known to nobody, and nothing of it may happen a second time.

use jiff::Timestamp;

use super::award::{Award, AwardState, Receipt, Step};
use super::grant::{Grant, Stage};
use super::vote::Vote;

impl Grant {
    /// The grant as it goes into a ledger that is restored `now` from a backup that was taken at `taken_at`.
    ///
    /// What was still to be sent may have been sent since, so it is in doubt. What was refused may have been mended and
    /// rewarded since, so only the operator reopens it. What was final is final.
    pub fn restored(&self, taken_at: Timestamp, now: Timestamp) -> Grant {
        let stage = match &self.stage {
            // Its vote is fetched again, and is then older than the restore.
            Stage::Received { attempts, elapsed, why, .. } => {
                Stage::Received { attempts: *attempts, elapsed: *elapsed, retried: false, why: why.clone() }
            }
            Stage::Closed { .. } | Stage::Pruned => self.stage.clone(),
            Stage::Refused { reason, vote, until_retried, since } => Stage::Refused {
                reason: refused_then(taken_at, reason, *until_retried),
                vote: vote.clone(),
                until_retried: true,
                since: *since,
            },
            Stage::Planned(plan) => {
                let mut plan = plan.clone();
                for award in &mut plan.awards {
                    *award = award.restored(taken_at, now);
                }
                Stage::Planned(plan)
            }
        };
        Grant { stage, ..self.clone() }
    }

    /// Why a vote that was fetched only now may have been rewarded before the ledger was restored at `restored_at`.
    pub(super) fn forgotten(&self, vote: &Vote, restored_at: Timestamp) -> Option<String> {
        // Those of our own are made here and now, whatever the clock said when the ledger was restored.
        if self.event.is_own() {
            return None;
        }
        let restored = in_words(restored_at);
        match vote.created_at {
            Some(created_at) if created_at > restored_at => None,
            Some(_) => Some(format!("The vote is from before the restore of Votive's ledger ({restored}).")),
            None => Some(format!(
                "GAMEMONITORING does not say when the vote was made, so it may be from before the restore of Votive's ledger ({restored})."
            )),
        }
    }
}

impl Award {
    fn restored(&self, taken_at: Timestamp, now: Timestamp) -> Award {
        let mut award = Award { until_retried: true, ..self.clone() };
        let doubt = Some(format!(
            "the ledger was restored from a backup of {}, and the command may have run since then",
            in_words(taken_at)
        ));
        let mut open_steps: Vec<&mut Step> =
            award.steps.iter_mut().filter(|step| step.finished.is_none()).collect();
        // A receipt tells of the last time that a step was sent with its guard, and that may have been before another.
        for step in open_steps.iter_mut().filter(|step| step.receipt.is_in_game()) {
            step.receipt = Receipt::Lost;
        }
        match &mut award.state {
            AwardState::Done | AwardState::Closed => return self.clone(),
            AwardState::Refused { reason, .. } => {
                *reason = refused_then(taken_at, reason, self.until_retried);
            }
            // The next step is in doubt already.
            AwardState::InDoubt { .. } => {
                open_steps.iter_mut().skip(1).for_each(|step| step.doubt.clone_from(&doubt));
            }
            state @ (AwardState::Planned | AwardState::Sending) => {
                *state = AwardState::Planned;
                open_steps.iter_mut().for_each(|step| step.doubt.clone_from(&doubt));
            }
        }
        award.doubted(now)
    }
}

/// The reason of a refusal that may be history by now; one from an earlier restore says so already.
fn refused_then(taken_at: Timestamp, reason: &str, restored_before: bool) -> String {
    if restored_before {
        return reason.to_owned();
    }
    format!("When the backup was taken ({}), it was refused: {reason}", in_words(taken_at))
}

fn in_words(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::{Arc, LazyLock};

    use super::*;
    use crate::domain::award::AwardFact;
    use crate::domain::calendar::Calendar;
    use crate::domain::counter::Scoped;
    use crate::domain::event::{EventKey, SERVER_VOTE, TEST_VOTE};
    use crate::domain::grant::{Action, Fact};
    use crate::domain::plan::Planning;
    use crate::domain::reward::{Command, InDoubtRule, ReceiptRule, Reward, Target};
    use crate::domain::standing::{self, Standing, Wait};
    use crate::domain::template::Template;
    use crate::domain::vote::ServerRef;

    const TAKEN: Timestamp = Timestamp::constant(1_000, 0);
    const NOW: Timestamp = Timestamp::constant(2_000, 0);
    static CALENDAR: LazyLock<Calendar> = LazyLock::new(Calendar::default);
    static VALUES: BTreeMap<String, String> = BTreeMap::new();

    /// A reward of these commands: each with whether it is optional, and its rule for doubts.
    fn reward(commands: &[(&str, bool, InDoubtRule)]) -> [Arc<Reward>; 1] {
        let command = |&(run, optional, in_doubt): &(&str, bool, InDoubtRule)| Command {
            run: Template::parse(run, &BTreeSet::new()).0,
            require_online: false,
            optional,
            in_doubt: Some(in_doubt),
            receipt: None,
        };
        let commands = commands.iter().map(command).collect();
        [Arc::new(Reward { name: "daily".to_owned(), commands, ..Reward::default() })]
    }

    fn held() -> [Arc<Reward>; 1] {
        reward(&[("a", false, InDoubtRule::Hold), ("b", false, InDoubtRule::Hold)])
    }

    fn target(rewards: &[Arc<Reward>]) -> Option<Target<'_>> {
        Some(Target {
            name: "survival",
            in_doubt: InDoubtRule::Hold,
            receipts: ReceiptRule::Auto,
            rewards,
            bedrock_prefix: None,
            counted_as: &ServerRef::Id(1),
            calendar: &CALENDAR,
            values: &VALUES,
        })
    }

    fn planning(target: Option<Target<'_>>, order: u64) -> Planning<'_> {
        Planning { target, order, counters: Scoped::default() }
    }

    fn received(event_type: &str) -> Grant {
        Grant::received(EventKey::new(event_type, "e-1"), TAKEN)
    }

    fn fetched(
        rewards: &[Arc<Reward>],
        created_at: Option<Timestamp>,
        restored_at: Option<Timestamp>,
    ) -> Fact<'_> {
        let vote = Vote { nickname: "Steve".to_owned(), server: ServerRef::Id(1), user_id: None, created_at };
        Fact::Fetched { vote, planning: planning(target(rewards), 1), restored_at }
    }

    fn planned(rewards: &[Arc<Reward>]) -> Grant {
        received(SERVER_VOTE).apply(fetched(rewards, None, None), TAKEN).unwrap()
    }

    fn facts(grant: &Grant, facts: &[AwardFact]) -> Grant {
        let apply = |grant: Grant, fact: &AwardFact| grant.apply(Fact::Award(0, fact.clone()), NOW).unwrap();
        facts.iter().fold(grant.clone(), apply)
    }

    fn redelivered(grant: &Grant, rewards: &[Arc<Reward>]) -> Grant {
        grant.apply(Fact::Redelivered(planning(target(rewards), 2)), NOW).unwrap()
    }

    fn retried(grant: &Grant, rewards: &[Arc<Reward>]) -> Grant {
        grant.apply(Fact::Retried(planning(target(rewards), 2)), NOW).unwrap()
    }

    fn award(grant: &Grant) -> &Award {
        &grant.plan().unwrap().awards[0]
    }

    fn in_doubt(grant: &Grant) -> bool {
        matches!(award(grant).state, AwardState::InDoubt { .. })
    }

    fn refusal(grant: &Grant) -> String {
        match standing::of(grant, "survival", |_, _| Wait::Turn) {
            Standing::Refused(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    const INTENT: AwardFact = AwardFact::Intent { announced_to: None };
    const RAN: AwardFact = AwardFact::Ran { reply: String::new() };
    const DID_RUN: AwardFact = AwardFact::Settled { ran: true };
    const DID_NOT: AwardFact = AwardFact::Settled { ran: false };

    fn rejected() -> AwardFact {
        AwardFact::Rejected { reason: "Correct it and deliver again.".to_owned(), reply: "no".to_owned() }
    }

    #[test]
    fn what_was_still_to_be_sent_is_in_doubt_and_nothing_of_it_is_sent() {
        let rewards = held();
        for open in [
            planned(&rewards),
            facts(&planned(&rewards), &[INTENT]),
            facts(&planned(&rewards), &[INTENT, RAN]),
        ] {
            let restored = open.restored(TAKEN, NOW);
            assert!(in_doubt(&restored) && restored.is_open());
            assert_eq!(restored.actions(), []);
            let AwardState::InDoubt { reason, since } = &award(&restored).state else { unreachable!() };
            assert!(reason.contains("backup of 1970-01-01 00:16:40 UTC"), "{reason}");
            assert_eq!(*since, NOW);
            assert_eq!(redelivered(&restored, &rewards), restored);
        }
    }

    #[test]
    fn each_step_that_may_have_run_is_asked_about_before_it_is_sent() {
        let restored = planned(&held()).restored(TAKEN, NOW);
        let second = facts(&restored, &[DID_RUN]);
        assert!(in_doubt(&second), "the first one ran, so the second one may have");
        assert_eq!(award(&second).next_step().unwrap().command, "b");
        assert_eq!(award(&facts(&second, &[DID_RUN])).state, AwardState::Done);

        // In doubt before: the steps behind may have run just the same.
        let lost = AwardFact::NoOutcome { reason: "?".to_owned() };
        let before = facts(&planned(&held()), &[INTENT, lost]);
        let restored = before.restored(TAKEN, NOW);
        assert_eq!(award(&restored).state, award(&before).state);
        assert!(in_doubt(&facts(&restored, &[DID_RUN])));
    }

    #[test]
    fn what_is_behind_a_step_that_did_not_run_did_not_run_either() {
        let sent = facts(&planned(&held()).restored(TAKEN, NOW), &[DID_NOT, INTENT, RAN]);
        assert_eq!(sent.actions(), [Action::Queue(0)]);
    }

    #[test]
    fn the_owners_rule_for_doubts_holds_for_a_restore_too() {
        let rewards = reward(&[
            ("a", true, InDoubtRule::Hold),
            ("b", false, InDoubtRule::Skip),
            ("c", false, InDoubtRule::Repeat),
            ("d", false, InDoubtRule::Hold),
        ]);
        let restored = planned(&rewards).restored(TAKEN, NOW);
        assert_eq!(award(&restored).next_step().unwrap().command, "c", "the first two are passed over");
        assert_eq!(restored.actions(), [Action::Queue(0)], "to repeat it does no harm");
        let behind = facts(&restored, &[INTENT, RAN]);
        assert!(in_doubt(&behind));
    }

    #[test]
    fn what_was_final_is_final() {
        let rewards = held();
        let done = facts(&planned(&rewards), &[INTENT, RAN, INTENT, RAN]);
        let closed = facts(&planned(&rewards), &[AwardFact::Cancelled]);
        let waiting = received(SERVER_VOTE);
        for grant in [done, closed, waiting] {
            assert_eq!(grant.restored(TAKEN, NOW), grant);
        }
    }

    #[test]
    fn what_was_refused_is_reopened_by_a_retry_and_by_no_redelivery() {
        let rewards = held();
        let of_reward = facts(&planned(&rewards), &[INTENT, rejected()]);
        let no_server = Fact::Fetched {
            vote: planned(&rewards).plan().unwrap().vote.clone(),
            planning: planning(None, 1),
            restored_at: None,
        };
        let of_vote = received(SERVER_VOTE).apply(no_server, TAKEN).unwrap();
        for grant in [of_reward, of_vote] {
            assert_ne!(redelivered(&grant, &rewards), grant, "without a restore, it does");
            let restored = grant.restored(TAKEN, NOW);
            assert_eq!(redelivered(&restored, &rewards), restored);
            let reason = refusal(&restored);
            assert!(reason.contains("When the backup was taken") && reason.ends_with("votive retry e-1"));
            assert_eq!(refusal(&restored.restored(TAKEN, NOW)), reason, "a second restore changes nothing");
            assert_eq!(retried(&restored, &rewards).actions(), [Action::Queue(0)]);
        }
    }

    #[test]
    fn what_is_refused_only_after_the_restore_may_have_been_mended_before_it() {
        let restored = planned(&held()).restored(TAKEN, NOW);
        let refused = facts(&restored, &[DID_NOT, INTENT, rejected()]);
        assert_eq!(redelivered(&refused, &held()), refused);
        assert!(refusal(&refused).ends_with("votive retry e-1"));
        let again = retried(&refused, &[]);
        assert!(!refusal(&again).contains("retry"), "the operator has decided: a redelivery helps again");
        assert_eq!(redelivered(&again, &held()).actions(), [Action::Queue(0)]);
    }

    #[test]
    fn a_vote_from_before_the_restore_waits_for_a_retry() {
        let rewards = held();
        let of = |event_type: &str, created_at: Option<i64>| {
            let created_at = created_at.map(|second| Timestamp::from_second(second).unwrap());
            received(event_type).apply(fetched(&rewards, created_at, Some(NOW)), NOW).unwrap()
        };
        for created_at in [Some(1_999), Some(2_000), None] {
            let refused = of(SERVER_VOTE, created_at);
            assert!(!refused.is_open());
            assert!(refusal(&refused).contains("before the restore"));
            assert!(refusal(&refused).contains("1970-01-01 00:33:20 UTC"));
            assert_eq!(redelivered(&refused, &rewards), refused);
            assert_eq!(retried(&refused, &rewards).actions(), [Action::Queue(0)]);
            assert!(of(TEST_VOTE, created_at).plan().is_some());
        }
        assert!(of(SERVER_VOTE, Some(2_001)).plan().is_some());
    }

    #[test]
    fn a_vote_that_is_fetched_for_a_retry_may_be_of_any_age() {
        let rewards = held();
        let refused = received(SERVER_VOTE).apply(Fact::Mismatch { reason: "no".to_owned() }, NOW).unwrap();
        let waiting = retried(&refused, &rewards);
        let failed = waiting.apply(Fact::FetchFailed { seconds: 1, why: String::new() }, NOW).unwrap();
        assert!(failed.apply(fetched(&rewards, Some(TAKEN), Some(NOW)), NOW).unwrap().plan().is_some());
        // A backup does not tell what became of it since.
        let restored = failed.restored(TAKEN, NOW);
        assert!(restored.apply(fetched(&rewards, Some(TAKEN), Some(NOW)), NOW).unwrap().plan().is_none());
        // And a redelivery is no retry.
        let waiting = redelivered(&refused, &rewards);
        assert!(waiting.apply(fetched(&rewards, Some(TAKEN), Some(NOW)), NOW).unwrap().plan().is_none());
    }

    #[test]
    fn only_what_is_refused_or_closed_can_be_retried() {
        let rewards = held();
        let again = || Fact::Retried(planning(target(&rewards), 2));
        let restored = planned(&rewards).restored(TAKEN, NOW);
        for grant in [received(SERVER_VOTE), planned(&rewards), restored] {
            assert!(!grant.awaits_retry() && grant.apply(again(), NOW).is_err());
        }
    }
}
