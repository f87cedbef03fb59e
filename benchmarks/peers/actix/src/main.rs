// SPDX-License-Identifier: MIT

//! W1 to W8 and P1 with actix, as its documentation shows it: a struct with a `Context` for each actor, a
//! `Handler` for each type of message, `do_send` to send and `send` to ask. Each strand is an arbiter.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use actix::SystemRunner;
use actix::prelude::*;
use bench_harness::{Countdown, Order, Outcome, Peer, Workload, nanoseconds, pin_to, resident_bytes};

/// Where an actor reports a number to the program.
type Report = Sender<u64>;

/// A system and its arbiters, one for each strand.
struct Crew {
    arbiters: Vec<Arbiter>,
    _system: SystemRunner,
}

impl Crew {
    fn new(order: Order) -> Self {
        let system = System::new();
        Crew { arbiters: (0..order.strands).map(|_| Arbiter::new()).collect(), _system: system }
    }

    /// Starts an actor on one of the arbiters; they take turns.
    fn start<A: Actor<Context = Context<A>> + Send>(&self, turn: usize, actor: A) -> Addr<A> {
        let arbiter = &self.arbiters[turn % self.arbiters.len()];
        A::start_in_arbiter(&arbiter.handle(), |_| actor)
    }
}

/// The sum of so many reports.
fn sum_of(reports: &Receiver<u64>, count: usize) -> u64 {
    reports.iter().take(count).sum()
}

fn report(to: &Report, number: u64) {
    let _ = to.send(number);
}

#[derive(Message)]
#[rtype(result = "()")]
struct Ball(u64);

// W1, W8: ping-pong

#[derive(Message)]
#[rtype(result = "()")]
struct Meet(Addr<Player>);

struct Player {
    peer: Option<Addr<Player>>,
    last: u64,
    end: Report,
}

impl Actor for Player {
    type Context = Context<Self>;
}

impl Handler<Meet> for Player {
    type Result = ();

    fn handle(&mut self, Meet(peer): Meet, _: &mut Self::Context) {
        self.peer = Some(peer);
    }
}

impl Handler<Ball> for Player {
    type Result = ();

    fn handle(&mut self, Ball(number): Ball, _: &mut Self::Context) {
        if number == self.last {
            report(&self.end, number);
        } else if let Some(peer) = &self.peer {
            peer.do_send(Ball(number + 1));
        }
    }
}

/// The two of pair `i` stand on the arbiters `place(i)`.
fn play(crew: &Crew, pairs: usize, count: u64, place: fn(usize) -> (usize, usize)) -> Outcome {
    let (end, reports) = channel();
    let pair = |i| {
        let (near, far) = place(i);
        let one = crew.start(near, Player { peer: None, last: count, end: end.clone() });
        let other = crew.start(far, Player { peer: Some(one.clone()), last: count, end: end.clone() });
        one.do_send(Meet(other));
        one
    };
    let players: Vec<_> = (0..pairs).map(pair).collect();
    let began = Instant::now();
    players.iter().for_each(|each| each.do_send(Ball(0)));
    let received = sum_of(&reports, pairs);
    let sent = pairs as u64 * count;
    Outcome::new(sent, received).rate("messages", "msg/s", sent, began.elapsed())
}

fn ping_pong(order: Order, pairs: usize, count: u64) -> Outcome {
    play(&Crew::new(order), pairs, order.count(count), |i| (i, i))
}

fn across(order: Order) -> Outcome {
    let crew = Crew::new(order);
    for (core, arbiter) in crew.arbiters.iter().enumerate() {
        arbiter.spawn_fn(move || pin_to(core));
    }
    play(&crew, 1, order.count(60_000), |_| (0, 1)).noted("an arbiter sleeps when there is nothing to do")
}

// W2: a foreign thread sends as fast as it can

struct Counter(u64);

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Handler<Ball> for Counter {
    type Result = ();

    fn handle(&mut self, Ball(number): Ball, _: &mut Self::Context) {
        self.0 += u64::from(number != u64::MAX);
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Read(Report);

impl Handler<Read> for Counter {
    type Result = ();

    fn handle(&mut self, Read(reader): Read, _: &mut Self::Context) {
        report(&reader, self.0);
    }
}

fn storm(order: Order) -> Outcome {
    let count = order.count(10_000_000);
    let crew = Crew::new(order);
    let target = crew.start(0, Counter(0));
    let (end, reports) = channel();
    pin_to(1);
    let began = Instant::now();
    (0..count).for_each(|number| target.do_send(Ball(number)));
    target.do_send(Read(end));
    let received = sum_of(&reports, 1);
    Outcome::new(count, received).duration("until the last is handled", began.elapsed())
}

// W3: many senders, more receivers

struct Source {
    targets: Arc<Vec<Addr<Counter>>>,
    at: usize,
    sent: u64,
    halted: bool,
}

impl Actor for Source {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct GoOn;

impl Handler<GoOn> for Source {
    type Result = ();

    fn handle(&mut self, _: GoOn, context: &mut Self::Context) {
        if self.halted {
            return;
        }
        for _ in 0..100 {
            self.targets[self.at].do_send(Ball(self.sent));
            self.sent += 1;
            self.at = if self.at + 1 == self.targets.len() { 0 } else { self.at + 1 };
        }
        // By a task of the arbiter: an actor goes on for as long as there is something in its mailbox, and
        // with a message straight to itself the other actors would never have their turn.
        let own = context.address();
        actix::spawn(async move { own.do_send(GoOn) });
    }
}

impl Handler<Read> for Source {
    type Result = ();

    fn handle(&mut self, Read(reader): Read, _: &mut Self::Context) {
        self.halted = true;
        report(&reader, self.sent);
    }
}

fn fan_in(order: Order) -> Outcome {
    const SENDERS: usize = 20;
    const RECEIVERS: usize = 2000;
    let crew = Crew::new(order);
    let targets: Arc<Vec<_>> = Arc::new((0..RECEIVERS).map(|i| crew.start(i, Counter(0))).collect());
    let source = |at| Source { targets: targets.clone(), at, sent: 0, halted: false };
    let sources: Vec<_> = (0..SENDERS).map(|i| crew.start(i, source(i * RECEIVERS / SENDERS))).collect();
    let (end, reports) = channel();
    let began = Instant::now();
    sources.iter().for_each(|each| each.do_send(GoOn));
    std::thread::sleep(order.period());
    sources.iter().for_each(|each| each.do_send(Read(end.clone())));
    let sent = sum_of(&reports, SENDERS);
    targets.iter().for_each(|each| each.do_send(Read(end.clone())));
    let received = sum_of(&reports, RECEIVERS);
    Outcome::new(sent, received).rate("messages", "msg/s", received, began.elapsed())
}

// W4: a million actors that wait

struct Tally {
    started: Countdown,
    handled: Countdown,
    end: Report,
}

struct Idler(Arc<Tally>);

impl Actor for Idler {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        if self.0.started.arrive() {
            report(&self.0.end, 1);
        }
    }
}

impl Handler<Ball> for Idler {
    type Result = ();

    fn handle(&mut self, _: Ball, _: &mut Self::Context) {
        if self.0.handled.arrive() {
            report(&self.0.end, 1);
        }
    }
}

fn crowd(order: Order) -> Outcome {
    let count = order.count(1_000_000);
    let part = count / order.strands as u64;
    let crew = Crew::new(order);
    let (end, reports) = channel();
    let tally = Arc::new(Tally { started: Countdown::new(count), handled: Countdown::new(count), end });
    let (nursery, born) = channel();
    let before = resident_bytes();
    let began = Instant::now();
    for arbiter in &crew.arbiters {
        let (tally, nursery) = (tally.clone(), nursery.clone());
        arbiter.spawn_fn(move || {
            let idlers: Vec<Addr<Idler>> = (0..part).map(|_| Idler(tally.clone()).start()).collect();
            let _ = nursery.send(idlers);
        });
    }
    let spawned: Vec<_> = born.iter().take(order.strands).collect();
    sum_of(&reports, 1);
    let spawning = began.elapsed();
    // Without the list of addresses, which is the driver's.
    let taken = resident_bytes() - before - count * size_of::<Addr<Idler>>() as u64;
    let began = Instant::now();
    for (arbiter, idlers) in crew.arbiters.iter().zip(spawned) {
        arbiter.spawn_fn(move || {
            idlers.iter().for_each(|each| each.do_send(Ball(1)));
            std::mem::forget(idlers); // an actor without addresses would stop
        });
    }
    let handled = sum_of(&reports, 1) * count;
    let took = began.elapsed();
    Outcome::new(count, handled)
        .duration("spawn all", spawning)
        .bytes("memory of an actor", taken as f64 / count as f64)
        .duration("one message to each", took)
}

// W5: ring

#[derive(Message)]
#[rtype(result = "()")]
struct Close(Addr<Node>);

struct Node {
    next: Option<Addr<Node>>,
    end: Report,
}

impl Actor for Node {
    type Context = Context<Self>;
}

impl Handler<Close> for Node {
    type Result = ();

    fn handle(&mut self, Close(next): Close, _: &mut Self::Context) {
        self.next = Some(next);
    }
}

impl Handler<Ball> for Node {
    type Result = ();

    fn handle(&mut self, Ball(hops): Ball, _: &mut Self::Context) {
        if hops == 0 {
            report(&self.end, 1);
        } else if let Some(next) = &self.next {
            next.do_send(Ball(hops - 1));
        }
    }
}

fn ring(order: Order, tokens: usize, total: u64) -> Outcome {
    const NODES: usize = 1000;
    let hops = (order.count(total) / (tokens * NODES) as u64 + 1) * NODES as u64;
    let crew = Crew::new(order);
    let (end, reports) = channel();
    let node = |i, next| crew.start(i * order.strands / NODES, Node { next, end: end.clone() });
    let head = node(0, None);
    let first = (1..NODES).rev().fold(head.clone(), |next, i| node(i, Some(next)));
    head.do_send(Close(first.clone()));
    let began = Instant::now();
    (0..tokens).for_each(|_| first.do_send(Ball(hops - 1)));
    let received = sum_of(&reports, tokens) * hops;
    let sent = tokens as u64 * hops;
    Outcome::new(sent, received).rate("messages", "msg/s", sent, began.elapsed())
}

// W6: request and response

#[derive(Message)]
#[rtype(result = "u64")]
struct Ask(u64);

struct Answerer;

impl Actor for Answerer {
    type Context = Context<Self>;
}

impl Handler<Ask> for Answerer {
    type Result = u64;

    fn handle(&mut self, Ask(number): Ask, _: &mut Self::Context) -> u64 {
        number + 1
    }
}

fn sequential_asks(order: Order) -> Outcome {
    let count = order.count(1_000_000);
    let crew = Crew::new(order);
    let server = crew.start(0, Answerer);
    let (end, reports) = channel();
    crew.arbiters[0].spawn(async move {
        let mut took = Vec::with_capacity(count as usize);
        let mut received = 0;
        for number in 0..count {
            let began = Instant::now();
            let answer = server.send(Ask(number)).await.unwrap();
            took.push(nanoseconds(began));
            received += answer - number;
        }
        let _ = end.send((received, took));
    });
    let (received, took) = reports.recv().unwrap();
    Outcome::new(count, received).percentiles(took)
}

fn many_asks(order: Order) -> Outcome {
    const OUTSTANDING: usize = 64;
    let count = order.count(5_000_000) / OUTSTANDING as u64;
    let crew = Crew::new(order);
    let servers: Vec<_> = (0..order.strands).map(|i| crew.start(i, Answerer)).collect();
    let (end, reports) = channel();
    let began = Instant::now();
    for i in 0..OUTSTANDING {
        let (server, end) = (servers[i % order.strands].clone(), end.clone());
        crew.arbiters[i % order.strands].spawn(async move {
            let mut received = 0;
            for number in 0..count {
                received += server.send(Ask(number)).await.unwrap() - number;
            }
            report(&end, received);
        });
    }
    let received = sum_of(&reports, OUTSTANDING);
    let sent = OUTSTANDING as u64 * count;
    Outcome::new(sent, received).rate("asks", "asks/s", sent, began.elapsed())
}

// W7: skynet

#[derive(Message)]
#[rtype(result = "()")]
struct Sum(u64);

/// What has come from ten below.
#[derive(Default)]
struct Collected {
    sum: u64,
    parts: u32,
}

impl Collected {
    /// The sum, when this was the last part.
    fn add(&mut self, Sum(part): Sum) -> Option<u64> {
        self.sum += part;
        self.parts += 1;
        (self.parts == 10).then_some(self.sum)
    }
}

struct Root {
    collected: Collected,
    end: Report,
}

impl Actor for Root {
    type Context = Context<Self>;
}

impl Handler<Sum> for Root {
    type Result = ();

    fn handle(&mut self, part: Sum, _: &mut Self::Context) {
        if let Some(sum) = self.collected.add(part) {
            report(&self.end, sum);
        }
    }
}

enum Above {
    Root(Addr<Root>),
    Branch(Addr<Branch>),
}

/// Sums the numbers of its leaves and sends the sum to its parent. It stops when no one has its address.
struct Branch {
    above: Above,
    first: u64,
    size: u64,
    collected: Collected,
}

impl Branch {
    fn new(above: Above, first: u64, size: u64) -> Self {
        Branch { above, first, size, collected: Collected::default() }
    }

    fn answer(&self, sum: u64) {
        match &self.above {
            Above::Root(root) => root.do_send(Sum(sum)),
            Above::Branch(branch) => branch.do_send(Sum(sum)),
        }
    }
}

impl Actor for Branch {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if self.size == 1 {
            return self.answer(self.first);
        }
        let part = self.size / 10;
        for i in 0..10 {
            Branch::new(Above::Branch(context.address()), self.first + i * part, part).start();
        }
    }
}

impl Handler<Sum> for Branch {
    type Result = ();

    fn handle(&mut self, part: Sum, _: &mut Self::Context) {
        if let Some(sum) = self.collected.add(part) {
            self.answer(sum);
        }
    }
}

fn tree(order: Order) -> Outcome {
    let leaves = order.count(1_000_000);
    let crew = Crew::new(order);
    let (end, reports) = channel();
    let began = Instant::now();
    let root = crew.start(0, Root { collected: Collected::default(), end });
    for i in 0..10 {
        let part = leaves / 10;
        crew.start(i, Branch::new(Above::Root(root.clone()), i as u64 * part, part));
    }
    let sum = sum_of(&reports, 1);
    Outcome::new(leaves * (leaves - 1) / 2, sum).duration("until the sum is known", began.elapsed())
}

// P1: pairs that exchange batches

const BATCH: u64 = 100;
const CAPACITY: usize = 110;

#[derive(Message)]
#[rtype(result = "()")]
struct Echoed(u64, Addr<Client>);

struct Echo;

impl Actor for Echo {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(CAPACITY);
    }
}

impl Handler<Echoed> for Echo {
    type Result = ();

    fn handle(&mut self, Echoed(number, client): Echoed, _: &mut Self::Context) {
        client.do_send(Ball(number));
    }
}

struct Client {
    echo: Addr<Echo>,
    received: u64,
    last: u64,
    end: Report,
}

impl Client {
    fn send_batch(&self, own: &Addr<Client>) {
        for number in self.received..self.received + BATCH {
            self.echo.do_send(Echoed(number, own.clone()));
        }
    }
}

impl Actor for Client {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(CAPACITY);
    }
}

impl Handler<GoOn> for Client {
    type Result = ();

    fn handle(&mut self, _: GoOn, context: &mut Self::Context) {
        self.send_batch(&context.address());
    }
}

impl Handler<Ball> for Client {
    type Result = ();

    fn handle(&mut self, Ball(number): Ball, context: &mut Self::Context) {
        self.received += u64::from(number != u64::MAX);
        if self.received == self.last {
            report(&self.end, self.received);
        } else if self.received % BATCH == 0 {
            self.send_batch(&context.address());
        }
    }
}

fn batches(order: Order) -> Outcome {
    let pairs = 2 * order.strands;
    let last = order.count(1_000_000);
    let crew = Crew::new(order);
    let (end, reports) = channel();
    let client = |i| {
        let echo = crew.start(i, Echo);
        crew.start(i, Client { echo, received: 0, last, end: end.clone() })
    };
    let clients: Vec<_> = (0..pairs).map(client).collect();
    let began = Instant::now();
    clients.iter().for_each(|each| each.do_send(GoOn));
    let received = sum_of(&reports, pairs);
    let sent = pairs as u64 * last;
    Outcome::new(sent, received).rate("messages", "msg/s", 2 * sent, began.elapsed())
}

fn main() {
    let peer = Peer {
        name: "actix",
        manifest: include_str!("../Cargo.toml"),
        settings: "default features; an arbiter for each strand, actors that talk to each other beside each \
                   other, the others spread; do_send, which disregards the capacity of mailboxes (16; P1: \
                   110), and send for asks",
    };
    bench_harness::main(
        &peer,
        &[
            Workload("W1a", &[1, 2], 1, |order| ping_pong(order, 1, 10_000_000)),
            Workload("W1b", &[1, 2], 4, |order| ping_pong(order, 4, 2_000_000)),
            Workload("W2", &[1], 0, storm),
            Workload("W3", &[1, 2], 0, fan_in),
            Workload("W4", &[1, 2], 1, crowd),
            Workload("W5a", &[1, 2], 1, |order| ring(order, 1, 5_000_000)),
            Workload("W5b", &[1, 2], 100, |order| ring(order, 100, 10_000_000)),
            Workload("W6a", &[1], 1, sequential_asks),
            Workload("W6b", &[1, 2], 64, many_asks),
            Workload("W7", &[1, 2], 0, tree),
            Workload("W8", &[2], 1, across),
            Workload("W8parked", &[2], 1, across),
            Workload("P1", &[1, 2], 100, batches),
        ],
    )
}
