//! Text → a tree of nodes that know their place, their key path and how they were quoted.
//!
//! Nothing is interpreted here: `yes`, `0123` and `5s` are texts until somebody asks for a value of a kind. What
//! YAML would silently make of a text (an anchor, an alias, a tag, a comment) is told instead.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Options, Parser, ScalarStyle, ScanError, Span, StructureStyle, options};

use super::keys::is_secret;
use super::mend;
use super::problem::{At, Place, Position, Problems, listed, shown};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: At,
    /// The path of its key, for messages; entries of lists are counted from 1.
    pub(super) path: String,
    pub(super) value: Value,
}

impl Node {
    /// Where it is, for messages.
    pub(super) fn place(&self) -> Place<'_> {
        (&self.at, &self.path)
    }

    /// The value of a key, where this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(map) = &self.value else { return None };
        map.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing, or `~`, or `null`.
    Nothing,
    Text(Text),
    List(List),
    Map(Map),
    /// Something that was told to be wrong already.
    Broken,
}

/// A text as it was written.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) style: Style,
    /// Whether it goes over several lines of the file.
    pub(super) folded: bool,
    /// Where a comment begins that follows it on its line.
    pub(super) comment: Option<At>,
}

/// How a text was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// With `|` or `>`.
    Block,
    /// In an environment variable: quotes mean nothing there.
    Variable,
}

#[derive(Clone, Debug, Default)]
pub(super) struct List {
    pub(super) entries: Vec<Node>,
    /// Whether it was written with `[]`.
    pub(super) flow: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Map {
    pub(super) entries: Vec<Entry>,
    /// Whether it was written with `{}`.
    pub(super) flow: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: At,
    pub(super) node: Node,
}

impl Entry {
    /// Where its key is, for messages.
    pub(super) fn place(&self) -> Place<'_> {
        (&self.at, &self.node.path)
    }
}

/// Reads `text`, of which [`Value::Nothing`] may come; `None` where YAML cannot read it, and a problem says why.
pub(super) fn read(text: &str, problems: &mut Problems) -> Option<Node> {
    let (readable, mended) = match events(text) {
        Ok(_) => (text.to_owned(), Vec::new()),
        Err(_) => mend::mend(text),
    };
    let (root, paths) = match events(&readable) {
        Ok(events) => {
            let mut builder = Builder::new(&events, problems, None, end(text));
            (Ok(builder.document()), builder.paths)
        }
        Err(error) => (Err(error), HashMap::new()),
    };
    // Told now that the keys are known in whose values it was.
    for mended in mended {
        let path = paths.get(&mended.at.line).map_or("", String::as_str);
        let (message, remedy) = mended.explain(path);
        problems.error((&At::File(mended.at), path), message, remedy);
        problems.mended(mended.at.line);
    }
    match root {
        Ok(root) => Some(root),
        Err(error) => {
            let mut at = position(error.marker());
            if mend::out_of_line(error.kind()) {
                let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
                at.column = line.len() - line.trim_start_matches(' ').len() + 1;
            }
            let (message, remedy) = mend::explain(error.kind());
            let remedy = format!("{remedy} (only then can keys and values be checked)");
            problems.error((&At::File(at), ""), message, remedy);
            None
        }
    }
}

/// Reads the value of the environment variable at `place` as YAML.
pub(super) fn read_variable(text: &str, place: Place<'_>, problems: &mut Problems) -> Value {
    match events(text) {
        Ok(events) => Builder::new(&events, problems, Some(place), end(text)).document().value,
        Err(_) => {
            problems.error(
                place,
                "the value begins like a YAML list or map and does not go on like one",
                "write a list as ['first', 'second'] and a map as {key: 'value'}",
            );
            Value::Broken
        }
    }
}

/// Deeper nesting than any configuration needs is refused, so that building the tree cannot exhaust the stack.
pub(super) const DEEPEST: usize = 32;

pub(super) fn events(text: &str) -> Result<Vec<(Event<'_>, Span)>, ScanError> {
    let options: Options = options! {
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        disallow_directives: true,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
        max_buffered_comment_events: usize::MAX,
    };
    Parser::new_from_str_with_options(text, options).collect()
}

/// Where a text ends.
fn end(text: &str) -> Position {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Position { line: text.matches('\n').count() + 1, column: last.chars().count() + 1 }
}

/// The parser counts lines from 1 and columns from 0.
fn position(marker: &Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

struct Builder<'e, 'p> {
    events: std::slice::Iter<'e, (Event<'e>, Span)>,
    problems: &'p mut Problems,
    /// The environment variable that the text comes from, and the key that it is for.
    variable: Option<Place<'e>>,
    /// Where the text ends: the parser has what is missing there begin on the line after it.
    end: Position,
    /// The first comment of each line; only the last thing on a line can be followed by one.
    comments: HashMap<usize, Marker>,
    /// The key path of the last value that begins on a line.
    paths: HashMap<usize, String>,
}

impl<'e, 'p> Builder<'e, 'p> {
    fn new(
        events: &'e [(Event<'e>, Span)],
        problems: &'p mut Problems,
        variable: Option<Place<'e>>,
        end: Position,
    ) -> Self {
        let comments = (events.iter())
            .filter(|(event, _)| matches!(event, Event::Comment(..)))
            .map(|(_, span)| (span.start.line(), span.start))
            .collect();
        Builder { events: events.iter(), problems, variable, end, comments, paths: HashMap::new() }
    }

    /// The next event that is part of a document's tree, its end included.
    fn next(&mut self) -> Option<(&'e Event<'e>, Span)> {
        self.events
            .by_ref()
            .find(|(event, _)| !matches!(event, Event::StreamStart | Event::Comment(..)))
            .map(|(event, span)| (event, *span))
    }

    fn at(&self, marker: &Marker) -> At {
        self.variable.map_or_else(|| At::File(position(marker).min(self.end)), |(at, _)| at.clone())
    }

    fn error(&mut self, marker: &Marker, path: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.error((&self.at(marker), path), message, remedy);
    }

    /// The first document; a second one is an error.
    fn document(&mut self) -> Node {
        let path = self.variable.map_or("", |(_, path)| path);
        let start = self.variable.map_or(At::START, |(at, _)| at.clone());
        let mut root = Node { at: start, path: path.to_owned(), value: Value::Nothing };
        if let Some((Event::DocumentStart(..), _)) = self.next()
            && let Some((event, span)) = self.next()
            && !matches!(event, Event::DocumentEnd)
        {
            root = self.node(event, span, path);
        }
        while let Some((event, span)) = self.next() {
            if matches!(event, Event::DocumentStart(..)) {
                self.error(
                    &span.start,
                    "",
                    "`---` begins a second document, and nothing after it would be read",
                    "keep everything in one document: take out the line with `---`",
                );
                break;
            }
        }
        root
    }

    fn node(&mut self, event: &'e Event<'e>, span: Span, path: &str) -> Node {
        let at = self.at(&span.start);
        self.paths.insert(span.start.line(), path.to_owned());
        let marked = self.marks(event, &span, path);
        let value = match event {
            Event::Scalar(text, style, ..) => self.text(text, *style, &span),
            Event::SequenceStart(style, ..) => Value::List(self.list(path, *style)),
            Event::MappingStart(style, ..) => Value::Map(self.map(path, *style)),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.mark(&span.start, '*', path);
                Value::Broken
            }
            _ => Value::Nothing,
        };
        Node {
            at,
            path: path.to_owned(),
            // What is left of a text without its anchor or tag is not what its owner wrote.
            value: match value {
                Value::Text(_) | Value::Nothing if marked => Value::Broken,
                value => value,
            },
        }
    }

    /// Tells of an anchor and a tag of a node; whether it had any.
    fn marks(&mut self, event: &'e Event<'e>, span: &Span, path: &str) -> bool {
        let tag = span.tag_start.filter(|_| event.tag().is_some());
        if let Some(tag) = tag {
            self.mark(&tag, '!', path);
        }
        // The anchor's own event follows the node's.
        let anchor = match self.events.as_slice() {
            [(Event::Anchor(..), span), ..] => Some(*span),
            _ => None,
        };
        if let Some(span) = anchor {
            self.events.next();
            self.mark(&span.start, '&', path);
        }
        tag.is_some() || anchor.is_some()
    }

    fn mark(&mut self, marker: &Marker, mark: char, path: &str) {
        let (message, remedy) = mend::explain_mark(mark, is_secret(path));
        self.error(marker, path, message, remedy);
    }

    fn text(&self, text: &str, style: ScalarStyle, span: &Span) -> Value {
        if style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
            return Value::Nothing;
        }
        let (end, begin) = (&span.end, span.start.line());
        let comment = self.comments.get(&end.line()).filter(|comment| comment.col() >= end.col());
        Value::Text(Text {
            text: text.to_owned(),
            style: match style {
                ScalarStyle::Plain => Style::Plain,
                ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
            },
            folded: end.line() > begin,
            comment: comment.map(|marker| self.at(marker)),
        })
    }

    fn list(&mut self, path: &str, style: StructureStyle) -> List {
        let mut entries = Vec::new();
        while let Some((event, span)) = self.next()
            && !matches!(event, Event::SequenceEnd)
        {
            let path =
                if is_secret(path) { path.to_owned() } else { format!("{path}[{}]", entries.len() + 1) };
            entries.push(self.node(event, span, &path));
        }
        List { entries, flow: style == StructureStyle::Flow }
    }

    fn map(&mut self, path: &str, style: StructureStyle) -> Map {
        let mut entries: Vec<Entry> = Vec::new();
        let mut first_at: HashMap<&str, At> = HashMap::new();
        while let Some((event, span)) = self.next()
            && !matches!(event, Event::MappingEnd)
        {
            let at = self.at(&span.start);
            let key = self.key(event, span, path);
            let Some((event, span)) = self.next() else { break };
            let key_path = match key {
                // What stands under a secret's key may be the secret itself, so it becomes part of no path.
                Some(key) if !is_secret(path) => join(path, key),
                _ => path.to_owned(),
            };
            let node = self.node(event, span, &key_path);
            let Some(key) = key else { continue };
            if let Some(first) = first_at.get(key) {
                if !is_secret(path) {
                    self.problems.error(
                        (&at, &key_path),
                        format!("{} is given twice, here and in {first}", listed([key])),
                        "keep one of the two",
                    );
                }
                continue;
            }
            first_at.insert(key, at.clone());
            entries.push(Entry { key: key.to_owned(), at, node });
        }
        Map { entries, flow: style == StructureStyle::Flow }
    }

    /// The key of an entry; `None` where it is no text.
    fn key(&mut self, event: &'e Event<'e>, span: Span, path: &str) -> Option<&'e str> {
        match event {
            Event::Scalar(text, ..) if text == "<<" => {
                self.marks(event, &span, path);
                self.error(
                    &span.start,
                    path,
                    "`<<` merges another part of a file in YAML, and this file knows no merging",
                    "write the keys out where they belong",
                );
                None
            }
            Event::Scalar(text, ..) => {
                self.marks(event, &span, path);
                Some(text)
            }
            _ => {
                // The whole key has to be taken out of the events, whatever it is.
                self.node(event, span, path);
                self.error(
                    &span.start,
                    path,
                    "a key has to be a plain word, and this is something else in YAML",
                    "write `key: value`; if it is meant as text, put all of it in single quotes",
                );
                None
            }
        }
    }
}

/// The path of a key in the section at `path`.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { shown(key) } else { format!("{path}.{}", shown(key)) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// The tree of a text, and what was told about it.
    fn tree(text: &str) -> (Option<Node>, Vec<String>) {
        let mut problems = Problems::new(PathBuf::from("f"));
        let tree = read(text, &mut problems);
        let (errors, _) = problems.finish();
        (tree, errors.iter().map(ToString::to_string).collect())
    }

    fn at(line: usize, column: usize) -> At {
        At::File(Position { line, column })
    }

    #[test]
    fn nodes_know_place_path_and_quoting() {
        let (root, errors) = tree("ж: {b: 'x'}\nc:\n  - |\n    y\n  - z # no\n");
        assert_eq!(errors, Vec::<String>::new());
        let Some(Value::Map(root)) = root.map(|root| root.value) else { panic!("no map") };
        let Value::Map(inner) = &root.entries[0].node.value else { panic!("no map") };
        let b = &inner.entries[0];
        assert_eq!((&b.at, &b.node.at, b.node.path.as_str()), (&at(1, 5), &at(1, 8), "ж.b"));
        assert!(
            matches!(&b.node.value, Value::Text(text) if text.style == Style::Quoted && text.text == "x")
        );
        let Value::List(list) = &root.entries[1].node.value else { panic!("no list") };
        assert_eq!(list.entries[1].path, "c[2]");
        assert!(matches!(&list.entries[0].value, Value::Text(text) if text.style == Style::Block));
        assert!(matches!(&list.entries[1].value, Value::Text(text) if text.comment == Some(at(5, 7))));
    }

    #[test]
    fn what_was_mended_keeps_its_text_and_its_place() {
        let (root, errors) = tree("a:\n  - @b 'c'\n  - {d} e\n  - ok\n");
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].starts_with("f:2:5: error: a[1]: "), "{errors:?}");
        assert!(errors[1].starts_with("f:3:5: error: a[2]: "), "{errors:?}");
        let Some(Value::Map(root)) = root.map(|root| root.value) else { panic!("no map") };
        let Value::List(list) = &root.entries[0].node.value else { panic!("no list") };
        assert!(matches!(&list.entries[0].value, Value::Text(text) if text.text == "@b 'c'"));
    }

    #[test]
    fn a_long_comment_is_no_error() {
        let (_, errors) = tree(&format!("a:\n{}  - b\n", "# more\n".repeat(2000)));
        assert_eq!(errors, Vec::<String>::new());
    }

    #[test]
    fn a_file_of_nothing_but_traps_is_told_in_time() {
        let (root, errors) = tree(&format!("a:\n{}", "  - @b\n".repeat(20_000)));
        assert!(root.is_some());
        assert_eq!(errors.len(), 20_000);
    }

    #[test]
    fn traps_are_looked_for_no_deeper_than_any_configuration_is() {
        let traps: String = (0..400).map(|n| format!("{}k: 'x\n", " ".repeat(n))).collect();
        let (root, errors) = tree(&traps);
        assert!(root.is_none());
        assert_eq!(errors.len(), DEEPEST, "{errors:?}");
    }
}
