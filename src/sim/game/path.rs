//! NBT paths: the way to a value in a storage. Names and patterns; places in lists are not known here.

use super::reader::{Reader, Refusal};
use super::snbt::{EMPTY, Value};

/// A way into a compound.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// At least one.
    nodes: Vec<Node>,
    /// As it was written.
    text: String,
}

#[derive(Clone, Debug)]
struct Node {
    step: Step,
    /// How much of the path's text leads here: this is named where nothing is found.
    end: usize,
}

#[derive(Clone, Debug)]
enum Step {
    /// `{…}` at the beginning: the whole, if it matches.
    Root(Value),
    /// `name`, or `name{…}`: the child of that name, if it matches.
    Child(String, Option<Value>),
}

impl Path {
    /// Reads the path that is the next argument.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Path, Refusal> {
        let start = reader.argument()?;
        let mut nodes = Vec::new();
        while !matches!(reader.peek(), None | Some(' ')) {
            let step = Step::read(reader, nodes.is_empty())?;
            nodes.push(Node { step, end: reader.since(start).len() });
            if !matches!(reader.peek(), None | Some(' ' | '[' | '{')) {
                reader.expect('.')?;
            }
        }
        if nodes.is_empty() {
            return Err(reader.unknown(start));
        }
        Ok(Path { nodes, text: reader.since(start).to_owned() })
    }

    /// The value that the path leads to.
    ///
    /// # Errors
    /// Where it leads nowhere: `Found no elements matching` and the part of the path that does not match.
    pub(super) fn find<'a>(&self, root: &'a Value) -> Result<&'a Value, Refusal> {
        (self.nodes.iter())
            .try_fold(root, |at, node| node.step.find(at).ok_or_else(|| self.nothing_found(node)))
    }

    /// Puts a value where the path leads, with the compounds on the way, and gives whether that changed anything.
    ///
    /// # Errors
    /// Where something on the way is no compound, or another one.
    pub(super) fn set(&self, root: &mut Value, value: Value) -> Result<bool, Refusal> {
        let (last, way) = self.split();
        let mut at = root;
        for node in way {
            at = node.step.find_or_create(at).ok_or_else(|| self.nothing_found(node))?;
        }
        let (Step::Child(name, pattern), Value::Compound(parent)) = (&last.step, at) else {
            return Ok(false);
        };
        let old = parent.get(name);
        if pattern.as_ref().is_some_and(|pattern| !old.is_some_and(|old| old.matches(pattern))) {
            return Ok(false);
        }
        let changes = old != Some(&value);
        parent.insert(name.clone(), value);
        Ok(changes)
    }

    /// Takes away what the path leads to, and gives whether there was something.
    pub(super) fn remove(&self, root: &mut Value) -> bool {
        if self.find(root).is_err() {
            return false;
        }
        let (last, way) = self.split();
        let parent = way.iter().try_fold(root, |at, node| node.step.find_or_create(at));
        match (&last.step, parent) {
            (Step::Child(name, _), Some(Value::Compound(parent))) => parent.remove(name).is_some(),
            _ => false,
        }
    }

    fn split(&self) -> (&Node, &[Node]) {
        // A path has at least one node.
        let last = self.nodes.len() - 1;
        (&self.nodes[last], &self.nodes[..last])
    }

    fn nothing_found(&self, node: &Node) -> Refusal {
        Refusal::failed(format!("Found no elements matching {}", &self.text[..node.end]))
    }
}

impl Step {
    fn read(reader: &mut Reader<'_>, first: bool) -> Result<Step, Refusal> {
        let name = match reader.peek() {
            Some('{') if first => return Value::compound(reader).map(Step::Root),
            Some('"' | '\'') => reader.quoted()?,
            _ => reader.take_while(|c| !" \"'[].{}".contains(c)).to_owned(),
        };
        if name.is_empty() {
            return Err(reader.wrong_here("Invalid NBT path element"));
        }
        let pattern = match reader.peek() {
            Some('{') => Some(Value::compound(reader)?),
            _ => None,
        };
        Ok(Step::Child(name, pattern))
    }

    fn find<'a>(&self, at: &'a Value) -> Option<&'a Value> {
        match (self, at) {
            (Step::Root(pattern), _) => Some(at).filter(|at| at.matches(pattern)),
            (Step::Child(name, pattern), Value::Compound(parent)) => {
                let fits = |child: &&Value| pattern.as_ref().is_none_or(|pattern| child.matches(pattern));
                parent.get(name).filter(fits)
            }
            _ => None,
        }
    }

    /// Like [`Step::find`], and puts there what is not there yet.
    fn find_or_create<'a>(&self, at: &'a mut Value) -> Option<&'a mut Value> {
        if let (Step::Child(name, pattern), Value::Compound(parent)) = (self, &mut *at) {
            let new = || pattern.clone().unwrap_or_else(|| EMPTY.clone());
            parent.entry(name.clone()).or_insert_with(new);
        }
        self.find(at)?;
        match (self, at) {
            (Step::Root(_), at) => Some(at),
            (Step::Child(name, _), Value::Compound(parent)) => parent.get_mut(name),
            _ => None,
        }
    }
}
