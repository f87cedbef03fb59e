// SPDX-License-Identifier: MIT

//! W1 to W8 and P1 with ractor, as its documentation shows it: a type and an `impl Actor` for each actor, one
//! type of messages for each, `cast` to send and `call` to ask.

use std::sync::Arc;
use std::time::Instant;

use bench_harness::{Countdown, Order, Outcome, Peer, Workload, nanoseconds, pin_to, resident_bytes};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, call};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Where an actor reports a number to the program.
type Report = UnboundedSender<u64>;

/// A runtime of tokio with as many worker threads as strands. For one strand it is the runtime of a single
/// thread: rings and asks are up to twice as fast in it as in the other with one worker.
fn runtime(order: Order) -> Runtime {
    if order.strands == 1 { Builder::new_current_thread().build().unwrap() } else { many_threads(order) }
}

fn many_threads(order: Order) -> Runtime {
    Builder::new_multi_thread().worker_threads(order.strands).build().unwrap()
}

/// Runs `future` on a worker thread.
fn on_worker<F>(runtime: &Runtime, future: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    runtime.block_on(runtime.spawn(future)).unwrap()
}

fn spawn<A: Actor>(runtime: &Runtime, actor: A, state: A::Arguments) -> ActorRef<A::Msg> {
    on_worker(runtime, Actor::spawn(None, actor, state)).unwrap().0
}

/// The sum of so many reports.
fn sum_of(runtime: &Runtime, reports: &mut UnboundedReceiver<u64>, count: u64) -> u64 {
    runtime.block_on(async {
        let mut sum = 0;
        for _ in 0..count {
            sum += reports.recv().await.unwrap();
        }
        sum
    })
}

fn report(to: &Report, number: u64) {
    let _ = to.send(number);
}

/// An actor that starts with the state it is given.
macro_rules! actor {
    ($actor:ident, $message:ty, $state:ty, |$own:ident, $received:ident, $state_name:ident| $body:block) => {
        struct $actor;

        impl Actor for $actor {
            type Msg = $message;
            type State = $state;
            type Arguments = $state;

            async fn pre_start(
                &self,
                _: ActorRef<Self::Msg>,
                state: Self::State,
            ) -> Result<Self::State, ActorProcessingErr> {
                Ok(state)
            }

            async fn handle(
                &self,
                $own: ActorRef<Self::Msg>,
                $received: Self::Msg,
                $state_name: &mut Self::State,
            ) -> Result<(), ActorProcessingErr> {
                $body
                Ok(())
            }
        }
    };
}

// W1, W8: ping-pong

enum Play {
    Meet(ActorRef<Play>),
    Ball(u64),
}

struct PlayerState {
    peer: Option<ActorRef<Play>>,
    last: u64,
    end: Report,
}

actor!(Player, Play, PlayerState, |_own, message, state| {
    match message {
        Play::Meet(peer) => state.peer = Some(peer),
        Play::Ball(number) if number == state.last => report(&state.end, number),
        Play::Ball(number) => state.peer.as_ref().unwrap().cast(Play::Ball(number + 1))?,
    }
});

/// A pair: each of the two on the runtime that is given for it.
fn pair(near: &Runtime, far: &Runtime, last: u64, end: &Report) -> ActorRef<Play> {
    let state = |peer| PlayerState { peer, last, end: end.clone() };
    let one = spawn(near, Player, state(None));
    let other = spawn(far, Player, state(Some(one.clone())));
    one.cast(Play::Meet(other)).unwrap();
    one
}

fn play(near: &Runtime, far: &Runtime, pairs: u64, count: u64) -> Outcome {
    let (end, mut reports) = unbounded_channel();
    let players: Vec<_> = (0..pairs).map(|_| pair(near, far, count, &end)).collect();
    let began = Instant::now();
    players.iter().for_each(|each| each.cast(Play::Ball(0)).unwrap());
    let received = sum_of(near, &mut reports, pairs);
    Outcome::new(pairs * count, received).rate("messages", "msg/s", pairs * count, began.elapsed())
}

fn ping_pong(order: Order, pairs: u64, count: u64) -> Outcome {
    let runtime = runtime(order);
    play(&runtime, &runtime, pairs, order.count(count))
}

fn across(order: Order) -> Outcome {
    let pinned =
        |core| Builder::new_multi_thread().worker_threads(1).on_thread_start(move || pin_to(core)).build();
    play(&pinned(0).unwrap(), &pinned(1).unwrap(), 1, order.count(60_000))
        .noted("a runtime with one thread for each; the threads sleep when there is nothing to do")
}

// W2: a foreign thread sends as fast as it can

enum Count {
    Ball(u64),
    Read(Report),
}

actor!(Counter, Count, u64, |_own, message, count| {
    match message {
        Count::Ball(number) => *count += u64::from(number != u64::MAX),
        Count::Read(reader) => report(&reader, *count),
    }
});

fn storm(order: Order) -> Outcome {
    let count = order.count(10_000_000);
    let runtime = runtime(order);
    let target = spawn(&runtime, Counter, 0);
    let (end, mut reports) = unbounded_channel();
    let began = Instant::now();
    let foreign = std::thread::spawn(move || {
        pin_to(1);
        (0..count).for_each(|number| target.cast(Count::Ball(number)).unwrap());
        target.cast(Count::Read(end)).unwrap();
    });
    let received = sum_of(&runtime, &mut reports, 1);
    let took = began.elapsed();
    foreign.join().unwrap();
    Outcome::new(count, received).duration("until the last is handled", took)
}

// W3: many senders, more receivers

enum Work {
    GoOn,
    Halt(Report),
}

struct SourceState {
    targets: Arc<Vec<ActorRef<Count>>>,
    at: usize,
    sent: u64,
    halted: bool,
}

actor!(Source, Work, SourceState, |own, message, state| {
    match message {
        Work::GoOn if state.halted => {}
        Work::GoOn => {
            for _ in 0..100 {
                state.targets[state.at].cast(Count::Ball(state.sent))?;
                state.sent += 1;
                state.at = if state.at + 1 == state.targets.len() { 0 } else { state.at + 1 };
            }
            own.cast(Work::GoOn)?;
        }
        Work::Halt(reader) => {
            state.halted = true;
            report(&reader, state.sent);
        }
    }
});

fn fan_in(order: Order) -> Outcome {
    const SENDERS: usize = 20;
    const RECEIVERS: usize = 2000;
    let runtime = runtime(order);
    let targets: Arc<Vec<_>> = Arc::new((0..RECEIVERS).map(|_| spawn(&runtime, Counter, 0)).collect());
    let source = |at| SourceState { targets: targets.clone(), at, sent: 0, halted: false };
    let sources: Vec<_> =
        (0..SENDERS).map(|i| spawn(&runtime, Source, source(i * RECEIVERS / SENDERS))).collect();
    let (end, mut reports) = unbounded_channel();
    let began = Instant::now();
    sources.iter().for_each(|each| each.cast(Work::GoOn).unwrap());
    let (wake, mut woken) = unbounded_channel();
    std::thread::spawn(move || {
        std::thread::sleep(order.period());
        report(&wake, 0);
    });
    sum_of(&runtime, &mut woken, 1);
    sources.iter().for_each(|each| each.cast(Work::Halt(end.clone())).unwrap());
    let sent = sum_of(&runtime, &mut reports, SENDERS as u64);
    targets.iter().for_each(|each| each.cast(Count::Read(end.clone())).unwrap());
    let received = sum_of(&runtime, &mut reports, RECEIVERS as u64);
    Outcome::new(sent, received).rate("messages", "msg/s", received, began.elapsed())
}

// W4: a million actors that wait

struct IdlerState {
    started: Arc<Countdown>,
    handled: Arc<Countdown>,
    end: Report,
}

struct Idler;

impl Actor for Idler {
    type Msg = u64;
    type State = Arc<IdlerState>;
    type Arguments = Arc<IdlerState>;

    async fn pre_start(
        &self,
        _: ActorRef<u64>,
        state: Arc<IdlerState>,
    ) -> Result<Arc<IdlerState>, ActorProcessingErr> {
        Ok(state)
    }

    async fn post_start(
        &self,
        _: ActorRef<u64>,
        state: &mut Arc<IdlerState>,
    ) -> Result<(), ActorProcessingErr> {
        if state.started.arrive() {
            report(&state.end, 1);
        }
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<u64>,
        _: u64,
        state: &mut Arc<IdlerState>,
    ) -> Result<(), ActorProcessingErr> {
        if state.handled.arrive() {
            report(&state.end, 1);
        }
        Ok(())
    }
}

fn crowd(order: Order) -> Outcome {
    const SCALE: u32 = 10;
    let count = order.count(1_000_000) / u64::from(SCALE);
    let part = count / order.strands as u64;
    let runtime = runtime(order);
    let (end, mut reports) = unbounded_channel();
    let countdown = || Arc::new(Countdown::new(count));
    let state = Arc::new(IdlerState { started: countdown(), handled: countdown(), end });
    let before = resident_bytes();
    let began = Instant::now();
    let nurseries: Vec<_> = (0..order.strands)
        .map(|_| {
            let state = state.clone();
            runtime.spawn(async move {
                let mut idlers = Vec::with_capacity(part as usize);
                for _ in 0..part {
                    idlers.push(Actor::spawn(None, Idler, state.clone()).await.unwrap().0);
                }
                idlers
            })
        })
        .collect();
    let spawned: Vec<Vec<ActorRef<u64>>> =
        nurseries.into_iter().map(|each| runtime.block_on(each).unwrap()).collect();
    sum_of(&runtime, &mut reports, 1);
    let spawning = began.elapsed();
    // Without the list of references, which is the driver's.
    let taken = resident_bytes() - before - count * size_of::<ActorRef<u64>>() as u64;
    let began = Instant::now();
    for idlers in spawned {
        runtime.spawn(async move {
            idlers.iter().for_each(|each| each.cast(1).unwrap());
            std::mem::forget(idlers);
        });
    }
    let handled = sum_of(&runtime, &mut reports, 1) * count;
    let took = began.elapsed();
    Outcome::new(count, handled)
        .duration("spawn all", spawning * SCALE)
        .bytes("memory of an actor", taken as f64 / count as f64)
        .duration("one message to each", took * SCALE)
        .noted("100 k actors, scaled to 1 M")
}

// W5: ring

enum Pass {
    Next(ActorRef<Pass>),
    Token(u64),
}

struct NodeState {
    next: Option<ActorRef<Pass>>,
    end: Report,
}

actor!(Node, Pass, NodeState, |_own, message, state| {
    match message {
        Pass::Next(next) => state.next = Some(next),
        Pass::Token(0) => report(&state.end, 1),
        Pass::Token(hops) => state.next.as_ref().unwrap().cast(Pass::Token(hops - 1))?,
    }
});

fn ring(order: Order, tokens: u64, total: u64) -> Outcome {
    const NODES: u64 = 1000;
    let hops = (order.count(total) / tokens / NODES + 1) * NODES;
    let runtime = runtime(order);
    let (end, mut reports) = unbounded_channel();
    let node = |next| spawn(&runtime, Node, NodeState { next, end: end.clone() });
    let head = node(None);
    let first = (1..NODES).fold(head.clone(), |next, _| node(Some(next)));
    head.cast(Pass::Next(first.clone())).unwrap();
    let began = Instant::now();
    (0..tokens).for_each(|_| first.cast(Pass::Token(hops - 1)).unwrap());
    let received = sum_of(&runtime, &mut reports, tokens) * hops;
    Outcome::new(tokens * hops, received).rate("messages", "msg/s", tokens * hops, began.elapsed())
}

// W6: request and response

struct Ask(u64, RpcReplyPort<u64>);

actor!(Answerer, Ask, (), |_own, message, _state| {
    let Ask(number, port) = message;
    port.send(number + 1)?;
});

fn sequential_asks(order: Order) -> Outcome {
    let count = order.count(1_000_000);
    let runtime = runtime(order);
    let server = spawn(&runtime, Answerer, ());
    let (received, took) = on_worker(&runtime, async move {
        let mut took = Vec::with_capacity(count as usize);
        let mut received = 0;
        for number in 0..count {
            let began = Instant::now();
            let answer = call!(server, |port| Ask(number, port)).unwrap();
            took.push(nanoseconds(began));
            received += answer - number;
        }
        (received, took)
    });
    Outcome::new(count, received).percentiles(took)
}

fn many_asks(order: Order) -> Outcome {
    const OUTSTANDING: u64 = 64;
    let count = order.count(3_000_000) / OUTSTANDING;
    let runtime = runtime(order);
    let servers: Vec<_> = (0..order.strands).map(|_| spawn(&runtime, Answerer, ())).collect();
    let began = Instant::now();
    let clients: Vec<_> = (0..OUTSTANDING as usize)
        .map(|i| {
            let server = servers[i % order.strands].clone();
            runtime.spawn(async move {
                let mut received = 0;
                for number in 0..count {
                    received += call!(server, |port| Ask(number, port)).unwrap() - number;
                }
                received
            })
        })
        .collect();
    let received = clients.into_iter().map(|each| runtime.block_on(each).unwrap()).sum();
    Outcome::new(OUTSTANDING * count, received).rate("asks", "asks/s", OUTSTANDING * count, began.elapsed())
}

// W7: skynet

/// Where a sum goes: to the parent, or from the root to the program.
enum Above {
    Parent(ActorRef<u64>),
    Program(Report),
}

struct BranchState {
    above: Above,
    first: u64,
    size: u64,
    sum: u64,
    missing: u64,
}

impl BranchState {
    fn new(above: Above, first: u64, size: u64) -> Self {
        BranchState { above, first, size, sum: 0, missing: 10 }
    }

    fn answer(&self, own: &ActorRef<u64>, sum: u64) -> Result<(), ActorProcessingErr> {
        match &self.above {
            Above::Parent(parent) => parent.cast(sum)?,
            Above::Program(end) => report(end, sum),
        }
        own.stop(None);
        Ok(())
    }
}

/// Sums the numbers of its leaves and sends the sum to its parent.
struct Branch;

impl Actor for Branch {
    type Msg = u64;
    type State = BranchState;
    type Arguments = BranchState;

    async fn pre_start(
        &self,
        _: ActorRef<u64>,
        state: BranchState,
    ) -> Result<BranchState, ActorProcessingErr> {
        Ok(state)
    }

    async fn post_start(
        &self,
        own: ActorRef<u64>,
        state: &mut BranchState,
    ) -> Result<(), ActorProcessingErr> {
        if state.size == 1 {
            return state.answer(&own, state.first);
        }
        let part = state.size / 10;
        for i in 0..10 {
            let child = BranchState::new(Above::Parent(own.clone()), state.first + i * part, part);
            Actor::spawn(None, Branch, child).await?;
        }
        Ok(())
    }

    async fn handle(
        &self,
        own: ActorRef<u64>,
        sum: u64,
        state: &mut BranchState,
    ) -> Result<(), ActorProcessingErr> {
        state.sum += sum;
        state.missing -= 1;
        if state.missing == 0 { state.answer(&own, state.sum) } else { Ok(()) }
    }
}

fn tree(order: Order) -> Outcome {
    const SCALE: u32 = 10;
    let leaves = order.count(1_000_000) / u64::from(SCALE);
    let runtime = many_threads(order); // takes a third of the memory of the other, also with one thread
    let (end, mut reports) = unbounded_channel();
    let began = Instant::now();
    spawn(&runtime, Branch, BranchState::new(Above::Program(end), 0, leaves));
    let sum = sum_of(&runtime, &mut reports, 1);
    Outcome::new(leaves * (leaves - 1) / 2, sum)
        .duration("until the sum is known", began.elapsed() * SCALE)
        .noted("100 k leaves, scaled to 1 M")
}

// P1: pairs that exchange batches

const BATCH: u64 = 100;

struct Echoed(u64, ActorRef<Batch>);

actor!(Echo, Echoed, (), |_own, message, _state| {
    let Echoed(number, client) = message;
    client.cast(Batch::Echo(number))?;
});

enum Batch {
    Begin,
    Echo(u64),
}

struct ClientState {
    echo: ActorRef<Echoed>,
    received: u64,
    last: u64,
    end: Report,
}

actor!(Client, Batch, ClientState, |own, message, state| {
    if let Batch::Echo(number) = message {
        state.received += u64::from(number != u64::MAX);
    }
    if state.received == state.last {
        report(&state.end, state.received);
    } else if state.received % BATCH == 0 {
        for number in state.received..state.received + BATCH {
            state.echo.cast(Echoed(number, own.clone()))?;
        }
    }
});

fn batches(order: Order) -> Outcome {
    let pairs = 2 * order.strands as u64;
    let last = order.count(1_000_000);
    let runtime = runtime(order);
    let (end, mut reports) = unbounded_channel();
    let client = || {
        let echo = spawn(&runtime, Echo, ());
        spawn(&runtime, Client, ClientState { echo, received: 0, last, end: end.clone() })
    };
    let clients: Vec<_> = (0..pairs).map(|_| client()).collect();
    let began = Instant::now();
    clients.iter().for_each(|each| each.cast(Batch::Begin).unwrap());
    let received = sum_of(&runtime, &mut reports, pairs);
    Outcome::new(pairs * last, received)
        .rate("messages", "msg/s", 2 * pairs * last, began.elapsed())
        .noted("mailboxes of ractor have no bound")
}

fn main() {
    let peer = Peer {
        name: "ractor",
        manifest: include_str!("../Cargo.toml"),
        settings: "default features, mailboxes without a bound; tokio's multi-thread runtime with a worker \
                   for each strand, its current-thread runtime for one strand (W7: multi-thread)",
    };
    bench_harness::main(
        &peer,
        &[
            Workload("W1a", &[1, 2], 1, |order| ping_pong(order, 1, 5_000_000)),
            Workload("W1b", &[1, 2], 4, |order| ping_pong(order, 4, 1_000_000)),
            Workload("W2", &[1], 0, storm),
            Workload("W3", &[1, 2], 0, fan_in),
            Workload("W4", &[1, 2], 1, crowd),
            Workload("W5a", &[1, 2], 1, |order| ring(order, 1, 5_000_000)),
            Workload("W5b", &[1, 2], 100, |order| ring(order, 100, 5_000_000)),
            Workload("W6a", &[1], 1, sequential_asks),
            Workload("W6b", &[1, 2], 64, many_asks),
            Workload("W7", &[1, 2], 0, tree),
            Workload("W8", &[2], 1, across),
            Workload("W8parked", &[2], 1, across),
            Workload("P1", &[1, 2], 100, batches),
        ],
    )
}
