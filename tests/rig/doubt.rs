//! What the log calls in doubt, and the operator who looks into the game and settles it.

use std::process::Command;

use super::{Rig, VOTIVE};

/// A step that the log calls in doubt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Doubt {
    pub event_id: String,
    pub reward: String,
    pub command: String,
}

/// Every doubt that a log names, in its order.
pub fn doubts_in(log: &str) -> Vec<Doubt> {
    let lines = log.lines().filter(|line| line.contains("in doubt: "));
    lines.map(|line| doubt_of(line).unwrap_or_else(|| panic!("no doubt in {line}"))).collect()
}

fn doubt_of(line: &str) -> Option<Doubt> {
    let field = |name: &str| {
        let begin = |first: char| line.split(&format!("{first}{name}=")).nth(1);
        let value = begin(' ').or_else(|| begin('{'))?;
        let quoted = value.strip_prefix('"').and_then(|rest| rest.split('"').next());
        Some(quoted.or_else(|| value.split([' ', '}']).next())?.to_owned())
    };
    Some(Doubt { event_id: field("event")?, reward: field("reward")?, command: field("command")? })
}

impl Rig {
    /// Whether the command of a doubt took effect in the game.
    pub fn has_run(&self, doubt: &Doubt) -> bool {
        self.game.console().iter().any(|executed| executed.effects.contains(&doubt.command))
    }

    /// `votive resolve` by what the game's console says, to be spawned. Gives whether the daemon took it.
    pub fn settling(&self, doubt: &Doubt) -> impl Future<Output = bool> + Send + use<> {
        let found = if self.has_run(doubt) { "--ran" } else { "--not-run" };
        let mut command = Command::new(VOTIVE);
        command.env_clear().args(["resolve", &doubt.event_id, "--reward", &doubt.reward, found]);
        command.args(["--config".as_ref(), self.path("rewards.yaml").as_os_str()]);
        async move {
            let settled = tokio::task::spawn_blocking(move || command.output().unwrap()).await;
            settled.unwrap().status.success()
        }
    }
}
