//! Tables for a terminal: aligned columns, and nothing around them.

use std::io::{self, Write};

use comfy_table::{Table, presets};

use crate::text::Outside;

/// A table with these columns.
pub(super) fn with(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns);
    table
}

/// Prints a table, without spaces at the ends of its lines.
pub(super) fn print(table: &Table) -> io::Result<()> {
    let mut out = io::stdout().lock();
    // Nothing stands left of the first column.
    let lines = table.lines().map(|line| line.strip_prefix(' ').map(str::to_owned).unwrap_or(line));
    lines.into_iter().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

/// Text from outside: as it is, or escaped and in quotes where something in it could mislead.
pub(super) fn cell(text: &str) -> String {
    let escaped = Outside(text).to_string();
    if escaped == format!("\"{text}\"") { text.to_owned() } else { escaped }
}
