//! What the service manager is told.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::process::Command;

use rig::{PATIENCE, Rig, VOTIVE};
use tokio::net::UnixDatagram;
use tokio::time::timeout;

/// The next message to the service manager.
async fn told(socket: &UnixDatagram) -> String {
    let mut message = [0; 256];
    let length = timeout(PATIENCE, socket.recv(&mut message)).await.expect("it said nothing").unwrap();
    String::from_utf8_lossy(&message[..length]).trim().to_owned()
}

#[tokio::test]
async fn ready_comes_after_the_port_is_bound_and_the_watchdog_is_fed_until_the_end() {
    let rig = Rig::new().await;
    let path = rig.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let runtime = rig.path("runtime");
    std::fs::create_dir(&runtime).unwrap();
    let mut command = Command::new("env");
    command.args([
        format!("NOTIFY_SOCKET={}", path.display()),
        format!("RUNTIME_DIRECTORY={}", runtime.display()),
        "WATCHDOG_USEC=200000".to_owned(),
        VOTIVE.to_owned(),
    ]);
    let daemon = rig::Daemon::spawn(command, &rig.path("rewards.yaml"));
    assert_eq!(told(&socket).await, "READY=1");
    // Whoever reads this is told only what was true before it.
    assert!(daemon.log_line("listening on ").await.contains("http://127.0.0.1:"));
    assert!(runtime.join("votive.sock").exists());
    for _ in 0..3 {
        assert_eq!(told(&socket).await, "WATCHDOG=1");
    }
    daemon.signal("INT");
    let mut last = told(&socket).await;
    while last == "WATCHDOG=1" {
        last = told(&socket).await;
    }
    assert_eq!(last, "STOPPING=1");
    let (status, log) = daemon.ended().await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn a_daemon_that_cannot_start_is_never_ready() {
    let rig = Rig::running().await;
    let path = rig.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut command = Command::new("env");
    command.args([format!("NOTIFY_SOCKET={}", path.display()), VOTIVE.to_owned()]);
    let second = rig::Daemon::spawn(command, &rig.path("rewards.yaml"));
    let (status, log) = second.ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(socket.try_recv(&mut [0; 16]).is_err(), "it said that it is ready");
}

#[tokio::test]
async fn certificate_authorities_are_needed_for_https_only() {
    let mut rig = Rig::new().await;
    let without = || {
        let mut command = Command::new("env");
        command.args(["SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=/nonexistent", VOTIVE]);
        command
    };
    rig.start_as(without()).await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    rig.stop().await;
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    std::fs::write(rig.path("rewards.yaml"), yaml.replace("http://", "https://")).unwrap();
    let (status, log) = rig::Daemon::spawn(without(), &rig.path("rewards.yaml")).ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("ca-certificates"), "{log}");
}
