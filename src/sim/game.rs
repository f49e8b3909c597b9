//! A simulated Minecraft server: RCON as vanilla does it, over real sockets or in memory, a main thread, players with
//! inventories.
//!
//! What it does on the wire and what it says is taken from `contract/rcon.md`. It is deterministic: nothing in it
//! waits for a clock but the habits that are about time ([`Habit::Lag`], [`Habit::Late`], [`When::After`]), and nothing
//! is drawn, so that on one thread with a paused clock the same conversation always runs the same. Its record is the
//! oracle of the tests: what stands in [`Record::console`] ran, and nothing else did.

mod commands;
mod data;
mod execute;
mod habits;
mod old;
mod path;
mod plugins;
mod reader;
mod save;
mod snbt;
mod wire;
mod world;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use habits::{Habit, Logins, When};
pub use save::Save;
pub use world::{Looks, Style};

use habits::Habits;
use world::World;

use super::port::Port;

/// What a simulated game server is like from its start.
#[derive(Clone, Debug)]
pub struct GameOptions {
    /// On 127.0.0.1; 0 for one that the system chooses. With [`Game::without_port`] no more than a part of its address.
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
    /// What came of it: the commands that ran and succeeded because of it. That is itself; of an `execute`, what stands
    /// behind `run`, once for each time. Nothing where it failed, also where nobody was told, or where a condition did
    /// not hold. Without the `/` or `minecraft:` before their names. What works asynchronously is taken to succeed.
    pub effects: Vec<String>,
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
    /// How much of `console` there was each time the world went back ([`Game::go_back_to`]). What ran before may have
    /// left nothing in the world; here it stays.
    pub rewinds: Vec<usize>,
}

impl Record {
    /// The commands that ran and begin with `prefix`, in order.
    pub fn ran(&self, prefix: &str) -> Vec<&str> {
        let commands = self.console.iter().map(|executed| executed.command.as_str());
        commands.filter(|command| command.starts_with(prefix)).collect()
    }

    /// The commands that took effect and begin with `prefix`, in order, each as [`Executed::effects`] has it: a `give`
    /// counts the same whether it ran by itself, as `minecraft:give`, or behind an `execute`. `prefix` may begin with
    /// `minecraft:` too.
    pub fn took_effect(&self, prefix: &str) -> Vec<&str> {
        let effects = self.console.iter().flat_map(|executed| &executed.effects).map(String::as_str);
        effects.filter(|effect| effect.starts_with(plain(prefix))).collect()
    }
}

/// A command without what may stand before its name.
fn plain(command: &str) -> &str {
    let command = command.strip_prefix('/').unwrap_or(command);
    command.strip_prefix("minecraft:").unwrap_or(command)
}

/// A handle on a simulated game server. It lives until it is stopped or its runtime ends, with or without handles.
#[derive(Clone)]
pub struct Game {
    shared: Arc<Shared>,
}

/// What the handles, the main thread and the connections share.
struct Shared {
    address: SocketAddr,
    /// `None` for a server that listens nowhere.
    port: Option<Port>,
    state: Mutex<State>,
    record: Mutex<Record>,
    /// Told of every change of the record. A `watch` would wake several who wait in an order that it draws.
    recorded: Notify,
    /// Whether the main thread stands still. Nobody but the main thread waits for it.
    held: watch::Sender<bool>,
    /// Told when withheld replies are released.
    releases: Notify,
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
    /// To the main thread.
    jobs: mpsc::UnboundedSender<Job>,
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

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the record and tells those who wait for it.
    fn note<T>(&self, change: impl FnOnce(&mut Record) -> T) -> T {
        let noted = change(&mut self.record());
        self.recorded.notify_waiters();
        noted
    }
}

impl Game {
    /// Starts a game server. Call it within a tokio runtime.
    ///
    /// # Errors
    /// Where the port cannot be bound.
    pub fn start(options: GameOptions) -> io::Result<Game> {
        let port = Port::take(options.port)?;
        let game = Game::new(options, port.address()?, Some(port));
        game.start_again()?;
        Ok(game)
    }

    /// Starts a game server that listens nowhere: [`Game::connect`] is the only way to it. No socket is bound; all
    /// else is as with a port. Call it within a tokio runtime.
    pub fn without_port(options: GameOptions) -> Game {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let game = Game::new(options, address, None);
        game.run(None);
        game
    }

    fn new(options: GameOptions, address: SocketAddr, port: Option<Port>) -> Game {
        Game {
            shared: Arc::new(Shared {
                address,
                port,
                state: Mutex::new(State {
                    password: options.password,
                    logins: Logins::default(),
                    habits: Habits::default(),
                    world: World::new(options.style, options.max_players),
                    said: String::new(),
                    run: None,
                }),
                record: Mutex::default(),
                recorded: Notify::new(),
                held: watch::Sender::new(false),
                releases: Notify::new(),
            }),
        }
    }

    fn run(&self, listener: Option<TcpListener>) {
        let stop = CancellationToken::new();
        let (jobs, queue) = mpsc::unbounded_channel();
        let run = Run { connections: stop.child_token(), stop, tasks: TaskTracker::new(), jobs };
        let main_thread = main_thread(self.shared.clone(), queue);
        run.tasks.spawn(run.stop.clone().run_until_cancelled_owned(main_thread));
        if let Some(listener) = listener {
            let accept = accept(self.shared.clone(), listener);
            run.tasks.spawn(run.stop.clone().run_until_cancelled_owned(accept));
        }
        self.shared.state().run = Some(run);
    }

    /// A new connection in memory, served like one that came by the port: counted, and closed by [`Game::stop`] and
    /// [`Game::disconnect`]. `None` while the server is down. `buffer` is how many bytes are under way in each
    /// direction at most; 64 KiB take every frame in one write, fewer than a frame has make the game see it in parts,
    /// which it punishes as vanilla does. Call it within the runtime of the server.
    pub fn connect(&self, buffer: usize) -> Option<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(buffer);
        admit(&self.shared, ours).then_some(theirs)
    }

    /// Runs a command on the server's own console and gives its reply. It is not in the record.
    pub fn console_command(&self, command: &str) -> String {
        commands::run(&mut self.shared.state().world, command).0
    }

    /// Stops the server: when this returns, connections and port are closed, and commands that had not run are gone.
    /// Players, inventories and the record stay, and nobody else gets the port.
    pub async fn stop(&self) {
        let run = self.shared.state().run.take();
        if let Some(run) = run {
            run.stop.cancel();
            run.tasks.close();
            run.tasks.wait().await;
        }
    }

    /// Starts a stopped server again, on the same port if it has one. One that runs goes on.
    ///
    /// # Errors
    /// Where the port cannot be opened.
    pub fn start_again(&self) -> io::Result<()> {
        if self.shared.state().run.is_none() {
            let listener = self.shared.port.as_ref().map(Port::listen).transpose()?;
            self.run(listener);
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

    /// What the server would find on its disk if it had saved everything just now.
    pub fn save(&self) -> Save {
        Save::of(&self.shared.state().world)
    }

    /// The world is as it was saved, as after a crash or a restored copy. Who is online does not change (somebody whom
    /// the save does not know stays with nothing), and neither does the record, which notes the moment. Stop the server
    /// first: beside a command that runs, the moment is not exact.
    pub fn go_back_to(&self, save: &Save) {
        self.shared.state().world.go_back_to(save);
        self.shared.note(|record| record.rewinds.push(record.console.len()));
    }

    /// Where its RCON listens; without a port, where it would with the one that it was given.
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

    /// What a data storage holds, printed as `data get storage` does; `{}` where nothing was ever stored.
    pub fn storage(&self, id: &str) -> String {
        self.shared.state().world.stored(id).to_string()
    }

    /// Whether a player may do everything: nobody may, unless a command was smuggled in.
    pub fn is_operator(&self, name: &str) -> bool {
        self.shared.state().world.operators.contains(name)
    }

    /// Every command that ran, in order.
    pub fn console(&self) -> Vec<Executed> {
        self.shared.record().console.clone()
    }

    /// All that the server has seen so far.
    pub fn record(&self) -> Record {
        self.shared.record().clone()
    }

    /// Waits until the record fulfils `condition`, and gives it. Without a time limit: that is the caller's. The
    /// condition looks at the record only: asking the game for it again would wait for itself.
    pub async fn until(&self, mut condition: impl FnMut(&Record) -> bool) -> Record {
        loop {
            // Told of everything from here on.
            let recorded = self.shared.recorded.notified();
            {
                let record = self.shared.record();
                if condition(&record) {
                    return record.clone();
                }
            }
            recorded.await;
        }
    }

    /// The password of logins from now on.
    pub fn set_password(&self, password: &str) {
        self.shared.state().password = password.to_owned();
    }

    /// What happens to logins from now on.
    pub fn set_logins(&self, logins: Logins) {
        self.shared.state().logins = logins;
    }

    /// From now on, `habit` befalls every command that begins with `prefix`, and every `execute` whose command behind
    /// `run` does, with or without `minecraft:`. Habits add up.
    pub fn always(&self, prefix: &str, habit: Habit) {
        self.shared.state().habits.add(prefix, None, habit);
    }

    /// `habit` befalls the next command that [`Game::always`] would let it befall, and no other.
    pub fn once(&self, prefix: &str, habit: Habit) {
        self.shared.state().habits.add(prefix, Some(1), habit);
    }

    /// Forgets every habit that [`Game::always`] and [`Game::once`] have set.
    pub fn behave(&self) {
        self.shared.state().habits.clear();
    }

    /// Forgets which commands ran, so that a simulation of days does not grow with them. Only while nothing is asked.
    pub fn forget_console(&self) {
        self.shared.note(|record| record.console = Vec::new());
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
        self.shared.releases.notify_waiters();
    }
}

/// Serves one more connection, and says whether the server runs. Otherwise the socket is closed as it is dropped.
fn admit<S>(shared: &Arc<Shared>, socket: S) -> bool
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Some(run) = shared.state().run.clone() else {
        return false;
    };
    let number = shared.note(|record| {
        record.connections += 1;
        record.connections
    });
    let connection = wire::serve(shared.clone(), socket, number, run.jobs);
    run.tasks.spawn(run.connections.run_until_cancelled_owned(connection));
    true
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        // A connection that was gone before it could be accepted is not one.
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        // Two small frames in a row would cost the system's 40 ms otherwise, and the tests minutes. It changes no
        // bytes, so a socket that cannot do it is as good.
        drop(socket.set_nodelay(true));
        if !admit(&shared, socket) {
            return;
        }
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
        let (reply, effects) = {
            let mut state = shared.state();
            let (reply, effects) = commands::run(&mut state.world, &job.command);
            state.said.push_str(&reply);
            (reply, effects)
        };
        let (command, connection) = (job.command, job.connection);
        let place = shared.note(|record| {
            record.console.push(Executed { command, reply, effects, answered: false, connection });
            record.console.len() - 1
        });
        // Whoever sent it may be gone; it has run all the same.
        let _ = job.ran.send(place);
    }
}
