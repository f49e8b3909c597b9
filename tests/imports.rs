//! The import rule of the design: `domain` is pure, and redb is named in one place.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// The crates that `domain` may use.
const ALLOWED: [&str; 13] = [
    "thiserror",
    "std",
    "core",
    "self",
    "super",
    "crate",
    "base16ct",
    "hmac",
    "jiff",
    "regex",
    "serde",
    "serde_json",
    "sha2",
];

/// Types of the language that are named like a crate.
const PRIMITIVES: [&str; 6] = ["char", "str", "u8", "u32", "u64", "u128"];

/// The parts of `std` that reach outside of the process, or wait.
const IMPURE_STD: [&str; 8] = ["fs", "net", "env", "process", "thread", "io", "os", "mpsc"];

/// Everything in a source that breaks the import rule of `domain`.
fn breaches(source: &str) -> Vec<String> {
    let code = source.lines().map(|line| line.split("//").next().unwrap());
    let code: Vec<&str> = code.filter(|line| !line.trim_start().starts_with('#')).collect();
    let code = code.join(" ");
    let mut breaches = Vec::new();
    // A path that begins in another crate, in a `use` or elsewhere; `Type::name` begins with a capital letter.
    let paths = Regex::new(r"(?:^|[^\w:.])(?:use )?([a-z]\w*)::").unwrap();
    let roots: BTreeSet<&str> = paths.captures_iter(&code).map(|path| path.extract::<1>().1[0]).collect();
    for root in roots.into_iter().filter(|root| !ALLOWED.contains(root) && !PRIMITIVES.contains(root)) {
        let local = Regex::new(&format!(r"\bmod {root}\b|use (?:super|std|crate)[^;]*\b{root}\b")).unwrap();
        if !local.is_match(&code) {
            breaches.push(root.to_owned());
        }
    }
    for import in Regex::new(r"\buse (\w+)\s*;").unwrap().captures_iter(&code) {
        breaches.push(import[1].to_owned());
    }
    for import in Regex::new(r"\bcrate::(\{[^;]*|\w+)").unwrap().captures_iter(&code) {
        if &import[1] != "domain" {
            breaches.push(import[0].to_owned());
        }
    }
    for import in Regex::new(r"\bstd::(\{[^;]*|[\w:]+)").unwrap().captures_iter(&code) {
        let mut words = import[1].split(|c: char| !c.is_alphanumeric());
        if words.any(|word| IMPURE_STD.contains(&word)) {
            breaches.push(import[0].to_owned());
        }
    }
    for clock in
        Regex::new(r"\b(?:Instant|SystemTime)\b|\b(?:Timestamp|Zoned)::now\b").unwrap().find_iter(&code)
    {
        breaches.push(clock.as_str().to_owned());
    }
    breaches
}

fn names_redb(source: &str) -> bool {
    let redb = Regex::new(r"\bredb\b").unwrap();
    source.lines().any(|line| redb.is_match(line.split("//").next().unwrap()))
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn domain_is_pure() {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain"));
    assert!(files.len() >= 10, "the files of domain were not found");
    for file in files {
        let breaches = breaches(&fs::read_to_string(&file).unwrap());
        assert!(breaches.is_empty(), "{} uses {breaches:?}", file.display());
    }
}

#[test]
fn only_the_ledger_names_redb() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (ledger, others): (Vec<_>, Vec<_>) =
        sources(&root).into_iter().partition(|file| file.starts_with(root.join("ledger")));
    assert!(!ledger.is_empty() && others.len() >= 30, "the files were not found");
    for file in others {
        assert!(!names_redb(&fs::read_to_string(&file).unwrap()), "{} names redb", file.display());
    }
}

#[test]
fn the_rule_catches_what_it_is_for() {
    for bad in [
        "use tokio::sync::Mutex;",
        "let x = std::fs::read(path);",
        "use std::{fmt, fs};",
        "use std::{\n    collections::HashMap,\n    thread,\n};",
        "let now = Timestamp::now();",
        "use std::time::Instant;",
        "use crate::config::Config;",
        "use crate::dispatch::Dispatch;",
        "use crate::text::Outside;",
        "redb::Database::open(path)",
        "use redb;",
        "use crate::{config::Config, domain};",
        "use std::{collections::{HashMap}, fs};",
        "use reqwest::Url;",
        "fn f(x: &tracing::Span) {}",
    ] {
        assert!(!breaches(bad).is_empty(), "{bad}");
    }
    for good in [
        "use std::fmt;",
        "use crate::domain::vote::Vote;",
        "// tokio::spawn is not for us",
        "use std::sync::Arc;",
    ] {
        assert_eq!(breaches(good), Vec::<String>::new(), "{good}");
    }
    assert!(names_redb("let db: redb::Database;") && names_redb("use redb;") && !names_redb("// redb"));
}
