//! The JSON document of `votive check --format json`. Its names are documented in docs/configuration.md, and stay.

use serde::Serialize;

use super::Checked;
use super::found::Found;
use crate::config::{At, Config, Level, Position, Problem};

#[derive(Serialize)]
pub(super) struct Document<'a> {
    file: Option<String>,
    can_start: bool,
    /// `None` where the configuration has errors, here and below.
    servers: Option<usize>,
    rewards: Option<usize>,
    errors: Vec<Told<'a>>,
    warnings: Vec<Told<'a>>,
    online: Option<&'a Found>,
}

#[derive(Serialize)]
struct Told<'a> {
    level: Level,
    file: String,
    /// `None` for the file as a whole, and for a variable.
    line: Option<usize>,
    column: Option<usize>,
    variable: Option<&'a str>,
    key: &'a str,
    message: &'a str,
    remedy: &'a str,
}

impl<'a> Document<'a> {
    pub(super) fn of(checked: &'a Checked, online: Option<&'a Found>) -> Self {
        let config = checked.config.as_ref().ok();
        Document {
            file: checked.file.as_ref().map(|file| file.display().to_string()),
            can_start: config.is_some(),
            servers: config.map(|config| config.servers.len()),
            rewards: config.map(Config::rewards),
            errors: checked.errors().iter().map(Told::of).collect(),
            warnings: checked.warnings.iter().map(Told::of).collect(),
            online,
        }
    }
}

impl<'a> Told<'a> {
    fn of(problem: &'a Problem) -> Self {
        let (position, variable) = match &problem.at {
            At::Whole => (None, None),
            At::File(position) => (Some(position), None),
            At::Variable(name) => (None, Some(name.as_str())),
        };
        Told {
            level: problem.level,
            file: problem.file.display().to_string(),
            line: position.map(|Position { line, .. }| *line),
            column: position.map(|Position { column, .. }| *column),
            variable,
            key: &problem.key,
            message: &problem.message,
            remedy: &problem.remedy,
        }
    }
}
