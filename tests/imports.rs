//! The import rule of the design: `domain` is pure, and redb is named in one place.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// What may stand in no file of `domain`: I/O, threads, clocks, and everything of ours outside of it.
const IMPURE: [&str; 5] = [
    r"\b(?:tokio|tokio_util|redb|hyper|hyper_util|reqwest|rcon|figment|tracing|fastrand|tempfile)::",
    r"\bstd::(?:fs|net|env|process|thread|io|os)\b",
    r"\bstd::\{[^}]*\b(?:fs|net|env|process|thread|io|os)\b",
    r"\b(?:Instant|SystemTime)\b|\b(?:Timestamp|Zoned)::now\b",
    r"\bcrate::(?:[a-ce-z_]|d(?:[a-np-z]|o(?:[a-ln-z]|m(?:[b-z]|a(?:[a-hj-z]|i[a-mo-z])))))",
];

/// What only `ledger` may say.
const LEDGER_ONLY: &str = r"\bredb::";

fn found(source: &str, patterns: &[&str]) -> Vec<String> {
    let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap()).collect();
    let code = code.join(" ");
    let hits = |pattern: &&str| {
        Regex::new(pattern).unwrap().find_iter(&code).map(|hit| hit.as_str().to_owned()).collect::<Vec<_>>()
    };
    patterns.iter().flat_map(hits).collect()
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
        let hits = found(&fs::read_to_string(&file).unwrap(), &IMPURE);
        assert!(hits.is_empty(), "{} uses {hits:?}", file.display());
    }
}

#[test]
fn only_the_ledger_names_redb() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (ledger, others): (Vec<_>, Vec<_>) =
        sources(&root).into_iter().partition(|file| file.starts_with(root.join("ledger")));
    assert!(!ledger.is_empty() && others.len() >= 30, "the files were not found");
    for file in others {
        let hits = found(&fs::read_to_string(&file).unwrap(), &[LEDGER_ONLY]);
        assert!(hits.is_empty(), "{} uses {hits:?}", file.display());
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
    ] {
        assert!(!found(bad, &IMPURE).is_empty(), "{bad}");
    }
    for good in [
        "use std::fmt;",
        "use crate::domain::vote::Vote;",
        "// tokio::spawn is not for us",
        "use std::sync::Arc;",
    ] {
        assert_eq!(found(good, &IMPURE), Vec::<String>::new(), "{good}");
    }
    assert!(!found("let db: redb::Database;", &[LEDGER_ONLY]).is_empty());
}
