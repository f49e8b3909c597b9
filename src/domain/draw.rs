//! Luck that comes from the event: the same vote always draws the same, two rewards draw independently.

use sha2::{Digest, Sha256};

use super::event::EventKey;

/// A number that is drawn once and for all, all of them equally likely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw(u64);

impl Draw {
    /// What an event draws for a `purpose` of a reward. None of the three can hold a zero, so no two draws share their
    /// text.
    pub fn of(event: &EventKey, reward: &str, purpose: &str) -> Draw {
        let text = [event.event_type.as_str(), &event.event_id, reward, purpose].join("\0");
        let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = Sha256::digest(text).into();
        Draw(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// One of the numbers below `bound`, so nearly equally likely that nobody could count the difference; 0 for 0.
    pub fn below(self, bound: u32) -> u32 {
        let scaled = (u128::from(self.0) * u128::from(bound)) >> 64;
        // It is below the bound.
        u32::try_from(scaled).unwrap_or(bound)
    }

    /// The place of one of these weights, each as likely as its share of all; `None` where there is no weight.
    pub fn pick(self, weights: impl Iterator<Item = u32> + Clone) -> Option<usize> {
        let mut drawn = self.below(weights.clone().sum());
        weights.enumerate().find_map(|(place, weight)| {
            let picked = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            picked.then_some(place)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_is_the_same_for_ever() {
        let draw = |id: &str, reward: &str| {
            Draw::of(&EventKey::new("server.vote", id), reward, "chance").below(1_000_000)
        };
        // Whoever changes these changes what votes have drawn that are still to be rendered.
        assert_eq!(
            [draw("e-1", "lucky"), draw("e-1", "other"), draw("e-2", "lucky")],
            [942_162, 730_140, 827_719]
        );
        assert_eq!(Draw(u64::MAX).below(7), 6);
        assert_eq!(Draw(0).below(7), 0);
    }

    #[test]
    fn each_weight_gets_its_share_and_nothing_else() {
        let weights = [3, 0, 1];
        let picked = |draw: u64| Draw(draw).pick(weights.into_iter()).unwrap();
        assert_eq!([0, 1 << 63, (3 << 62) - 1, 3 << 62, u64::MAX].map(picked), [0, 0, 0, 2, 2]);
        assert_eq!(Draw(5).pick([].into_iter()), None);
    }

    /// Of a hundred thousand votes, one in twenty, within four standard deviations; and two rewards of one vote have
    /// nothing to do with each other.
    #[test]
    fn draws_are_as_likely_as_they_say_and_independent() {
        let (votes, chance) = (100_000, 0.05);
        let hits = |reward: &str, number: u32| {
            Draw::of(&EventKey::new("server.vote", &format!("vote-{number}")), reward, "chance")
                .below(1_000_000)
                < 50_000
        };
        let count = |hit: &dyn Fn(u32) -> bool| {
            f64::from(u32::try_from((0..votes).filter(|n| hit(*n)).count()).unwrap())
        };
        let expect = |seen: f64, chance: f64| {
            let sigma = (f64::from(votes) * chance * (1.0 - chance)).sqrt();
            let off = (seen - f64::from(votes) * chance) / sigma;
            assert!(off.abs() < 4.0, "{seen} of {votes} at {chance}: {off} standard deviations");
        };
        expect(count(&|n| hits("lucky", n)), chance);
        expect(count(&|n| hits("other", n)), chance);
        expect(count(&|n| hits("lucky", n) && hits("other", n)), chance * chance);
        let drawn = |n| {
            Draw::of(&EventKey::new("server.vote", &format!("vote-{n}")), "box", "one_of")
                .pick([3, 1].into_iter())
        };
        expect(count(&|n| drawn(n) == Some(0)), 0.75);
        // What is drawn says nothing about whether the reward came.
        expect(count(&|n| hits("box", n) && drawn(n) == Some(0)), chance * 0.75);
    }
}
