//! A simulated Minecraft server: RCON over a real socket as vanilla does it, a main thread, players with inventories.
//!
//! What it does on the wire and what it says is taken from `contract/rcon.md`. It is deterministic: nothing in it
//! waits for a clock but the habits that are about time ([`Habit::Lag`], [`Habit::Late`], [`When::After`]). Its record
//! is the oracle of the tests: what stands in [`Record::console`] ran, and nothing else did.

mod commands;
mod habits;
mod old;
mod plugins;
mod reader;
mod wire;
mod world;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use habits::{Habit, Logins, When};
pub use world::{Looks, Style};

use habits::Habits;
use world::World;

/// What a simulated game server is like from its start.
#[derive(Clone, Debug)]
pub struct GameOptions {
    /// On 127.0.0.1; 0 for one that the system chooses.
    pub port: u16,
    /// The RCON password.
    pub password: String,
    /// Which software it speaks like.
    pub style: Style,
    /// Shown by `list`; nobody is turned away.
    pub max_players: u32,
}

impl Default for GameOptions {
    fn default() -> Self {
        GameOptions {
            port: 0,
            password: "rcon-password".to_owned(),
            style: Style::default(),
            max_players: 20,
        }
    }
}

/// One command that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// As it arrived.
    pub command: String,
    /// What the command says of itself, whatever was sent.
    pub reply: String,
    /// Whether the whole reply was handed to the socket. Set before it is, so whoever has read a reply finds it set.
    pub answered: bool,
    /// The connection that it came by; they are counted from 1.
    pub connection: u64,
}

/// All that a game server has seen since its first start.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Every command that ran, in the order in which they ran.
    pub console: Vec<Executed>,
    /// Commands that were read from the wire of a connection that was logged in, whether they ran or not.
    pub received: usize,
    /// Connections accepted.
    pub connections: u64,
    /// Logins that were read, good and bad.
    pub logins: u64,
    /// Logins with the wrong password, and commands without a login.
    pub refusals: u64,
    /// Why connections were closed as vanilla closes them: a sentence for each.
    pub violations: Vec<String>,
}

impl Record {
    /// The commands that ran and begin with `prefix`, in order.
    pub fn ran(&self, prefix: &str) -> Vec<&str> {
        let commands = self.console.iter().map(|executed| executed.command.as_str());
        commands.filter(|command| command.starts_with(prefix)).collect()
    }
}

/// A handle on a simulated game server. It lives until it is stopped or its runtime ends, with or without handles.
#[derive(Clone)]
pub struct Game {
    shared: Arc<Shared>,
}

/// What the handles, the main thread and the connections share.
struct Shared {
    address: SocketAddr,
    state: Mutex<State>,
    record: watch::Sender<Record>,
    /// Whether the main thread stands still.
    held: watch::Sender<bool>,
    /// How often withheld replies were released.
    releases: watch::Sender<u64>,
}

struct State {
    password: String,
    logins: Logins,
    habits: Habits,
    world: World,
    /// The one reply buffer of all connections: with two of them replies can mix (contract/rcon.md).
    said: String,
    /// `None` while the server is down.
    run: Option<Run>,
}

/// What lives from a start to a stop.
#[derive(Clone)]
struct Run {
    stop: CancellationToken,
    /// Ends the connections of this moment; a child of `stop`.
    connections: CancellationToken,
    tasks: TaskTracker,
}

/// A command on its way to the main thread.
struct Job {
    command: String,
    connection: u64,
    lag: Duration,
    /// Given the command's place in the console once it has run.
    ran: oneshot::Sender<usize>,
}

impl Shared {
    /// Only our own code runs under the lock, and it leaves nothing half done when it panics.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Game {
    /// Starts a game server. Call it within a tokio runtime.
    ///
    /// # Errors
    /// Where the port cannot be bound.
    pub fn start(options: GameOptions) -> io::Result<Game> {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)))?;
        let game = Game {
            shared: Arc::new(Shared {
                address: listener.local_addr()?,
                state: Mutex::new(State {
                    password: options.password,
                    logins: Logins::default(),
                    habits: Habits::default(),
                    world: World::new(options.style, options.max_players),
                    said: String::new(),
                    run: None,
                }),
                record: watch::Sender::default(),
                held: watch::Sender::new(false),
                releases: watch::Sender::new(0),
            }),
        };
        game.run(listener);
        Ok(game)
    }

    fn run(&self, listener: TcpListener) {
        let stop = CancellationToken::new();
        let run = Run { connections: stop.child_token(), stop, tasks: TaskTracker::new() };
        let (jobs, queue) = mpsc::unbounded_channel();
        let main_thread = main_thread(self.shared.clone(), queue);
        run.tasks.spawn(run.stop.clone().run_until_cancelled_owned(main_thread));
        let accept = accept(self.shared.clone(), listener, run.tasks.clone(), jobs);
        run.tasks.spawn(run.stop.clone().run_until_cancelled_owned(accept));
        self.shared.state().run = Some(run);
    }

    /// Stops the server: when this returns, connections and port are closed, and commands that had not run are gone.
    /// Players, inventories and the record stay.
    pub async fn stop(&self) {
        let run = self.shared.state().run.take();
        if let Some(run) = run {
            run.stop.cancel();
            run.tasks.close();
            run.tasks.wait().await;
        }
    }

    /// Starts a stopped server again, on the same port. One that runs goes on.
    ///
    /// # Errors
    /// Where the port was taken in the meantime.
    pub fn start_again(&self) -> io::Result<()> {
        if self.shared.state().run.is_none() {
            self.run(listen(self.shared.address)?);
        }
        Ok(())
    }

    /// Closes every connection; the port stays open.
    pub fn disconnect(&self) {
        if let Some(run) = &mut self.shared.state().run {
            let next = run.stop.child_token();
            std::mem::replace(&mut run.connections, next).cancel();
        }
    }

    /// Where its RCON listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// A player joins, or changes nothing who has.
    pub fn join(&self, name: &str) {
        self.shared.state().world.join(name);
    }

    /// A player leaves; the inventory stays.
    pub fn leave(&self, name: &str) {
        self.shared.state().world.leave(name);
    }

    /// Joins with a nickname, a group or an AFK mark, which only [`Style::Essentials`] shows.
    pub fn join_as(&self, name: &str, looks: Looks) {
        self.shared.state().world.join(name).looks = looks;
    }

    /// What a player owns: items by their id without `minecraft:`. Empty for somebody who never joined.
    pub fn inventory(&self, name: &str) -> BTreeMap<String, u64> {
        let state = self.shared.state();
        let player = state.world.players.get(&name.to_lowercase());
        player.map(|player| player.inventory.clone()).unwrap_or_default()
    }

    /// The experience that a player was given.
    pub fn experience(&self, name: &str) -> u64 {
        let state = self.shared.state();
        state.world.players.get(&name.to_lowercase()).map_or(0, |player| player.experience)
    }

    /// Whether a player may do everything: nobody may, unless a command was smuggled in.
    pub fn is_operator(&self, name: &str) -> bool {
        self.shared.state().world.operators.contains(name)
    }

    /// Every command that ran, in order.
    pub fn console(&self) -> Vec<Executed> {
        self.shared.record.borrow().console.clone()
    }

    /// All that the server has seen so far.
    pub fn record(&self) -> Record {
        self.shared.record.borrow().clone()
    }

    /// Waits until the record fulfils `condition`, and gives it. Without a time limit: that is the caller's.
    pub async fn until(&self, condition: impl FnMut(&Record) -> bool) -> Record {
        let mut record = self.shared.record.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        #[allow(clippy::expect_used)]
        let record = record.wait_for(condition).await.expect("the record outlives its watchers");
        record.clone()
    }

    /// The password of logins from now on.
    pub fn set_password(&self, password: &str) {
        self.shared.state().password = password.to_owned();
    }

    /// What happens to logins from now on.
    pub fn set_logins(&self, logins: Logins) {
        self.shared.state().logins = logins;
    }

    /// From now on, `habit` befalls every command that begins with `prefix`. Habits add up.
    pub fn always(&self, prefix: &str, habit: Habit) {
        self.shared.state().habits.add(prefix, None, habit);
    }

    /// `habit` befalls the next command that begins with `prefix`, and no other.
    pub fn once(&self, prefix: &str, habit: Habit) {
        self.shared.state().habits.add(prefix, Some(1), habit);
    }

    /// Forgets every habit that [`Game::always`] and [`Game::once`] have set.
    pub fn behave(&self) {
        self.shared.state().habits.clear();
    }

    /// Stops the main thread before its next command. Commands are still read, and wait.
    pub fn hold(&self) {
        self.shared.held.send_replace(true);
    }

    /// Lets the main thread go on.
    pub fn release(&self) {
        self.shared.held.send_replace(false);
    }

    /// Sends the replies that [`Habit::Withheld`] keeps back by now.
    pub fn release_replies(&self) {
        self.shared.releases.send_modify(|releases| *releases += 1);
    }
}

/// A listener on an address that the same server may have left a moment ago.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    tasks: TaskTracker,
    jobs: mpsc::UnboundedSender<Job>,
) {
    loop {
        // A connection that was gone before it could be accepted is not one.
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        // Two small frames in a row would cost the system's 40 ms otherwise, and the tests minutes. It changes no
        // bytes, so a socket that cannot do it is as good.
        drop(socket.set_nodelay(true));
        // Down already: the socket is closed as it is dropped.
        let Some(token) = shared.state().run.as_ref().map(|run| run.connections.clone()) else {
            return;
        };
        let mut number = 0;
        shared.record.send_modify(|record| {
            record.connections += 1;
            number = record.connections;
        });
        let connection = wire::serve(shared.clone(), socket, number, jobs.clone());
        tasks.spawn(token.run_until_cancelled_owned(connection));
    }
}

/// Runs the commands of all connections, one at a time.
async fn main_thread(shared: Arc<Shared>, mut queue: mpsc::UnboundedReceiver<Job>) {
    let mut held = shared.held.subscribe();
    while let Some(job) = queue.recv().await {
        if held.wait_for(|held| !held).await.is_err() {
            return;
        }
        if !job.lag.is_zero() {
            tokio::time::sleep(job.lag).await;
        }
        let reply = {
            let mut state = shared.state();
            let reply = commands::run(&mut state.world, &job.command);
            state.said.push_str(&reply);
            reply
        };
        let mut place = 0;
        shared.record.send_modify(|record| {
            place = record.console.len();
            record.console.push(Executed {
                command: job.command,
                reply,
                answered: false,
                connection: job.connection,
            });
        });
        // Whoever sent it may be gone; it has run all the same.
        let _ = job.ran.send(place);
    }
}
