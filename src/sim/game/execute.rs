//! `execute`: a command behind conditions, as somebody else, its outcome stored. This is what receipts are made of.
//!
//! As in the game, the clauses turn the one source that a command has into any number of them, and the command runs for
//! each. A source that a condition or `as` has made swallows the errors of its command. A syntax error is found before
//! anything runs, also where nothing will.

use super::commands::{Done, Said, complete, dispatch};
use super::data::{self, Store};
use super::path::Path;
use super::reader::{Reader, Refusal, Target};
use super::world::World;

/// On whose behalf a command runs, and what becomes of its outcome.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    /// The key of the player who is `@s`; none is the console.
    pub(super) executor: Option<String>,
    /// Whether `as`, `if` or `unless` made it.
    forked: bool,
    stores: Vec<Store>,
}

impl Source {
    /// Stores what became of a command that has run: its result where it was a success.
    pub(super) fn store(&self, world: &mut World, result: Option<i64>) {
        for store in &self.stores {
            store.put(world, result);
        }
    }
}

/// What `if` and `unless` ask.
enum Test {
    Entity(Target),
    Data(String, Path),
}

impl Test {
    fn read(reader: &mut Reader<'_>, world: &World) -> Result<Test, Refusal> {
        match reader.keyword(&["entity", "data"])? {
            "entity" => reader.target().map(Test::Entity),
            _ => Ok(Test::Data(data::storage(reader, world.style)?, Path::read(reader)?)),
        }
    }

    /// How much of it there is.
    fn count(&self, world: &World, source: &Source) -> usize {
        match self {
            Test::Entity(target) => world.whom(target, source.executor.as_deref()).len(),
            Test::Data(id, path) => usize::from(path.find(world.stored(id)).is_ok()),
        }
    }
}

/// Runs what stands behind `execute`.
pub(super) fn run(world: &mut World, mut reader: Reader<'_>, source: &Source) -> Said {
    let mut sources = vec![source.clone()];
    loop {
        match reader.keyword(&["if", "unless", "as", "store", "run"])? {
            "run" => return command(world, &reader, &sources),
            "as" => {
                let target = reader.target()?;
                let fork = |source: Source| {
                    let executors = world.whom(&target, source.executor.as_deref()).into_iter();
                    executors.map(move |key| Source { executor: Some(key), forked: true, ..source.clone() })
                };
                sources = sources.into_iter().flat_map(fork).collect();
            }
            "store" => {
                let store = Store::read(&mut reader, world.style)?;
                sources.iter_mut().for_each(|source| source.stores.push(store.clone()));
            }
            word => {
                let test = Test::read(&mut reader, world)?;
                let wanted = word == "if";
                if reader.is_done() {
                    let ask = |world: &mut World, source: &Source| {
                        let said = answer(test.count(world, source), wanted);
                        complete(world, source, said)
                    };
                    return each(world, &sources, ask);
                }
                sources.retain(|source| (test.count(world, source) > 0) == wanted);
                sources.iter_mut().for_each(|source| source.forked = true);
            }
        }
    }
}

/// What a condition says that is the last clause.
fn answer(count: usize, wanted: bool) -> Said {
    match (count, wanted) {
        (0, true) => Err(Refusal::failed("Test failed")),
        (_, true) => {
            Ok(Done::says(format!("Test passed, count: {count}"), i64::try_from(count).unwrap_or(i64::MAX)))
        }
        (0, false) => Ok(Done::says("Test passed", 1)),
        (_, false) => Err(Refusal::failed(format!("Test failed, count: {count}"))),
    }
}

/// Runs the command behind `run` for each source.
fn command(world: &mut World, reader: &Reader<'_>, sources: &[Source]) -> Said {
    if sources.is_empty() {
        // Nothing runs, but the whole command has been parsed by then: in a world where nobody can be hurt.
        let parsed = dispatch(&mut World::new(world.style, 0), reader.clone(), &Source::default());
        return if let Err(Refusal::Syntax(_)) = parsed { parsed } else { Ok(Done::default()) };
    }
    each(world, sources, |world, source| dispatch(world, reader.clone(), source))
}

fn each(world: &mut World, sources: &[Source], mut run: impl FnMut(&mut World, &Source) -> Said) -> Said {
    let mut all = Done::default();
    for source in sources {
        match run(world, source) {
            Ok(done) => all.add(done),
            Err(Refusal::Failed(_)) if source.forked => (),
            refusal => return refusal,
        }
    }
    Ok(all)
}
