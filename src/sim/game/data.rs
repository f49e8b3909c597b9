//! `data … storage`: the part of a world that commands can write whatever they like into, and read it again.

use super::commands::{Act, Done, Said};
use super::path::Path;
use super::reader::{Reader, Refusal};
use super::snbt::Value;
use super::world::{Style, World};

const UNCHANGED: &str = "Nothing changed. The specified properties already have these values";

/// Reads `storage NAME` and gives the name. Where there is no data storage, the word is a wrong one.
pub(super) fn storage(reader: &mut Reader<'_>, style: Style) -> Result<String, Refusal> {
    reader.keyword(if style.has_storage() { &["storage"] } else { &[] })?;
    reader.id()
}

/// Reads the argument that is the rest of the command.
fn last<T>(
    reader: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    reader.argument()?;
    let value = read(reader)?;
    reader.done()?;
    Ok(value)
}

fn modified(id: &str, changes: bool) -> Said {
    match changes {
        true => Ok(Done::says(format!("Modified storage {id}"), 1)),
        false => Err(Refusal::failed(UNCHANGED)),
    }
}

impl Act<'_> {
    /// `data get|remove storage NAME PATH`, `data merge storage NAME VALUE`, `data modify storage NAME PATH set value
    /// VALUE`.
    pub(super) fn data(&mut self) -> Said {
        let verb = self.reader.keyword(&["get", "merge", "modify", "remove"])?;
        let id = storage(&mut self.reader, self.world.style)?;
        match verb {
            "get" => self.get(&id),
            "merge" => {
                let value = last(&mut self.reader, Value::compound)?;
                let mut merged = self.world.stored(&id).clone();
                merged.merge(value);
                let changes = merged != *self.world.stored(&id);
                self.world.storage.insert(id.clone(), merged);
                modified(&id, changes)
            }
            "modify" => {
                let path = Path::read(&mut self.reader)?;
                self.reader.keyword(&["set"])?;
                self.reader.keyword(&["value"])?;
                let value = last(&mut self.reader, Value::read)?;
                modified(&id, self.world.store(&id, &path, value)?)
            }
            _ => {
                let path = Path::read(&mut self.reader)?;
                self.reader.done()?;
                modified(&id, self.world.storage.get_mut(&id).is_some_and(|root| path.remove(root)))
            }
        }
    }

    fn get(&mut self, id: &str) -> Said {
        let path = match self.reader.is_done() {
            true => None,
            false => Some(Path::read(&mut self.reader)?),
        };
        self.reader.done()?;
        let root = self.world.stored(id);
        let (value, result) = match path {
            Some(path) => path.find(root).map(|value| (value, value.result()))?,
            None => (root, 1),
        };
        Ok(Done::says(format!("Storage {id} has the following contents: {value}"), result))
    }
}

/// Where `execute store` puts what becomes of a command.
#[derive(Clone, Debug)]
pub(super) struct Store {
    /// Whether it is about the result, and not about the success.
    result: bool,
    id: String,
    path: Path,
    kind: &'static str,
    scale: f64,
}

impl Store {
    /// Reads what follows `execute store`.
    pub(super) fn read(reader: &mut Reader<'_>, style: Style) -> Result<Store, Refusal> {
        Ok(Store {
            result: reader.keyword(&["success", "result"])? == "result",
            id: storage(reader, style)?,
            path: Path::read(reader)?,
            kind: reader.keyword(&["byte", "int", "long"])?,
            scale: reader.double()?,
        })
    }

    /// Stores what became of a command: its result where it was a success.
    pub(super) fn put(&self, world: &mut World, result: Option<i64>) {
        let number = match result {
            Some(result) if self.result => result,
            Some(_) => 1,
            None => 0,
        };
        // As the game converts them: cut to a whole number, then to the bits that fit.
        let scaled = number as f64 * self.scale;
        let value = match self.kind {
            "byte" => Value::Byte(scaled as i32 as i8),
            "int" => Value::Int(scaled as i32),
            _ => Value::Long(scaled as i64),
        };
        // Where the path leads nowhere, nothing is stored and nothing is said.
        let _ = world.store(&self.id, &self.path, value);
    }
}
