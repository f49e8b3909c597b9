//! A disk that fills up in the middle of five hundred deliveries: a small tmpfs, which only root can mount.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

use rig::Rig;
use rig::doubt::doubts_in;
use tempfile::TempDir;
use votive::sim::platform::Answered;

const VOTES: usize = 500;
/// Bytes that the filler leaves free: the ledger takes them before it has half of the votes.
const LEFT: u64 = 400 * 1024;

const ONLY_GIVE: &str = "
  daily:
    commands:
      - 'give {player} minecraft:diamond 1'
";

/// A tmpfs of 3 MB, unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// # Errors
    /// Why it cannot be mounted here.
    fn mount() -> Result<SmallDisk, String> {
        let directory = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs"]).arg(directory.path());
        let output = mount.output().map_err(|error| format!("mount: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        Ok(SmallDisk(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it with a file, and gives back so many bytes of it.
    fn fill(&self, left: u64) {
        let mut filler =
            OpenOptions::new().append(true).create(true).open(self.path().join("filler")).unwrap();
        let full = loop {
            if let Err(error) = filler.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        filler.set_len(filler.metadata().unwrap().len() - left).unwrap();
    }

    fn make_space(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// Every other player is online.
fn is_online(number: usize) -> bool {
    number.is_multiple_of(2)
}

async fn deliver(rig: &Rig, number: usize) -> Answered {
    rig.deliver(&rig.vote(&format!("e-{number}"), &format!("P{number}"))).await
}

#[tokio::test]
async fn a_disk_that_fills_up_in_the_middle_of_five_hundred_deliveries_loses_none() {
    let disk = match SmallDisk::mount() {
        Ok(disk) => disk,
        Err(why) => return println!("not tried: a tmpfs cannot be mounted here: {why}"),
    };
    let mut rig = Rig::new().await;
    std::os::unix::fs::symlink(disk.path(), rig.path("state")).unwrap();
    rig.configure("", "    pace: 1000/s", ONLY_GIVE);
    for number in (0..VOTES).filter(|number| is_online(*number)) {
        rig.game.join(&format!("P{number}"));
    }
    rig.start().await;
    disk.fill(LEFT);

    let mut open = Vec::new();
    for number in 0..VOTES {
        match deliver(&rig, number).await {
            Answered { status: Some(204), .. } => {}
            Answered { status: None, .. } => open.push(number),
            Answered { status: Some(503), body, .. } if body.contains("deliver again") => open.push(number),
            other => panic!("{other:?}"),
        }
    }
    let acknowledged = VOTES - open.len();
    println!("{acknowledged} of {VOTES} deliveries were acknowledged");
    assert!((50..450).contains(&acknowledged), "not in the middle");
    assert_eq!(open, (acknowledged..VOTES).collect::<Vec<_>>(), "it accepts nothing after the first failure");
    let (status, log) = rig.daemon.take().unwrap().ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    let last = log.lines().last().unwrap();
    for part in ["state/ledger.redb", "No space left on device", "see to the disk and start it again"] {
        assert!(last.contains(part), "{last}");
    }
    let ran = rig.game.record().ran("give").len();

    // Not one byte is left: it does not start, and says why.
    disk.fill(0);
    let refused = rig.votive(&["run"]).await;
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(error.contains("state/ledger.") && error.contains("No space left on device"), "{error}");
    assert_eq!(rig.game.record().ran("give").len(), ran, "nothing is issued without a record");

    disk.make_space();
    rig.start().await;
    let doubts = doubts_in(&rig.daemon().log());
    assert!(doubts.len() <= 1, "one command was on its way: {doubts:?}");
    for doubt in &doubts {
        assert!(rig.settling(doubt).await);
    }
    for number in open {
        let answered = deliver(&rig, number).await;
        assert_eq!(answered.status, Some(204), "{}", answered.body);
    }
    for number in 0..VOTES {
        rig.game.join(&format!("P{number}"));
    }
    rig.until(|record| record.ran("give").len() >= VOTES).await;
    for number in 0..VOTES {
        assert_eq!(deliver(&rig, number).await.status, Some(204));
        assert_eq!(rig.has(&format!("P{number}"), "diamond"), 1, "P{number}");
    }
    assert_eq!(rig.game.record().ran("give").len(), VOTES);
}
