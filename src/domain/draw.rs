//! Luck that comes from the event: the same vote always draws the same, two rewards draw independently.

use sha2::{Digest, Sha256};

use super::event::EventKey;

/// A number that is drawn once and for all, all of them equally likely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw(u64);

impl Draw {
    /// What an event draws for a `purpose` of a reward. None of these texts can hold a zero, so no two draws share their
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
}
