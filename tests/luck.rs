//! Whether chances are what they say, over a hundred thousand votes. The draws come from the events, so this is the same
//! in every run.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use jiff::SignedDuration;
use jiff::civil::DateTime;
use votive::domain::counter::Count;
use votive::domain::draw::Draw;
use votive::domain::event::EventKey;
use votive::domain::player::PlayerName;
use votive::domain::rule::{Case, Chance, Rule, judge};

const VOTES: u32 = 100_000;

fn event(number: u32) -> EventKey {
    EventKey::new("server.vote", &format!("00000000-0000-4000-8000-{number:012}"))
}

/// Whether a vote earns a reward with this chance in millionths.
fn wins(number: u32, reward: &str, chance: u32) -> bool {
    let (event, player) = (event(number), PlayerName::parse("Steve", None).unwrap());
    let case = Case {
        event: &event,
        reward,
        player: &player,
        voted_at: DateTime::default(),
        age: SignedDuration::ZERO,
        count: &Count::default(),
        earned: None,
    };
    judge(&[Rule::Chance(Chance(chance))], &case).0
}

/// What a vote draws of things with these weights.
fn drawn(number: u32, reward: &str, weights: &[u32]) -> Option<usize> {
    Draw::of(&event(number), reward, "one_of").pick(weights.iter().copied())
}

/// Counts the votes with which something happens, and wants to see it as often as its probability says, within four
/// standard deviations.
fn expect(probability: f64, happens: impl Fn(u32) -> bool) {
    let seen = u32::try_from((0..VOTES).filter(|number| happens(*number)).count()).unwrap();
    let (seen, votes) = (f64::from(seen), f64::from(VOTES));
    let deviation = (votes * probability * (1.0 - probability)).sqrt();
    let off = (seen - votes * probability) / deviation;
    assert!(off.abs() < 4.0, "{seen} of {votes} votes at {probability}: {off} standard deviations");
}

#[test]
fn a_chance_is_as_likely_as_it_says() {
    for (millionths, probability) in [(50_000, 0.05), (1_000, 0.001), (500_000, 0.5), (999_000, 0.999)] {
        expect(probability, |number| wins(number, "lucky", millionths));
    }
    assert!((0..VOTES).all(|number| wins(number, "certain", Chance::WHOLE)));
}

#[test]
fn two_rewards_of_one_vote_draw_independently() {
    let [one, other] = ["lucky", "other"].map(|reward| move |number| wins(number, reward, 50_000));
    expect(0.05 * 0.05, |number| one(number) && other(number));
    expect(0.05 * 0.95, |number| one(number) && !other(number));
    // Neighbours have nothing to do with each other either.
    expect(0.05 * 0.05, |number| one(number) && one(number + 1));
}

#[test]
fn what_is_drawn_says_nothing_about_whether_the_reward_came() {
    expect(0.75, |number| drawn(number, "box", &[3, 1]) == Some(0));
    expect(0.05 * 0.75, |number| wins(number, "box", 50_000) && drawn(number, "box", &[3, 1]) == Some(0));
    expect(0.2, |number| drawn(number, "box", &[1, 1, 1, 1, 1]) == Some(3));
}
