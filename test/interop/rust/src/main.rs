// SPDX-License-Identifier: MIT

//! Calls a node from Rust, and is a small server that a program with costar calls.
//!
//! Usage: desk client ADDRESS | server

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use capnp::message::{Builder, HeapAllocator, ReaderOptions};
use capnp::traits::HasTypeId;
use capnp::{Error, ErrorKind};
use capnp_rpc::{rpc_twoparty_capnp::Side, twoparty, RpcSystem};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::TokioAsyncReadCompatExt;

// What is made of the schemas looks for itself at the root of the crate.
capnp::generated_code!(pub mod desk_capnp);
capnp::generated_code!(pub mod directory_capnp, "costar/directory_capnp.rs");
capnp::generated_code!(pub mod values_capnp, "costar/values_capnp.rs");

use desk_capnp::{callback, cut, desk, hello, hold, late, pour, release};
use directory_capnp::{actor, answer, directory};
use values_capnp::{letters, natural};

const TIMED_OUT: u16 = 2;
const NO_SUCH_ACTOR: u16 = 3;
const NO_WIRE_FORM: u16 = 15;

fn say(name: &str, good: bool) {
    println!("{name}: {}", if good { "ok" } else { "failed" });
}

fn bytes(message: &Builder<HeapAllocator>) -> Vec<u8> {
    capnp::serialize::write_message_to_words(message)
}

fn hello_to(name: &str) -> Vec<u8> {
    let mut message = Builder::new_default();
    message.init_root::<hello::Builder>().set_name(name);
    bytes(&message)
}

/// The body of a message without fields.
fn empty() -> Vec<u8> {
    let mut message = Builder::new_default();
    message.init_root::<hold::Builder>();
    bytes(&message)
}

/// What a program waits for that has asked an actor.
type Asked = capnp::capability::RemotePromise<answer::Owned>;

fn ask(who: &actor::Client, kind: u64, body: &[u8], remaining: Duration) -> Asked {
    let mut request = who.ask_request();
    request.get().set_type(kind);
    request.get().set_body(body);
    request.get().set_remaining(remaining.as_nanos() as u64);
    request.send()
}

async fn tell(who: &actor::Client, kind: u64, body: &[u8]) -> Result<u16, Error> {
    let mut request = who.tell_request();
    request.get().set_type(kind);
    request.get().set_body(body);
    Ok(request.send().promise.await?.get()?.get_failure())
}

async fn failure(asked: Asked) -> Result<u16, Error> {
    Ok(asked.promise.await?.get()?.get_failure())
}

/// Finds an actor by its name. It may be used before it has been found.
fn find(node: &directory::Client, name: &str) -> actor::Client {
    let mut request = node.actor_request();
    request.get().set_name(name);
    request.send().pipeline.get_actor()
}

async fn late_answers(holder: &actor::Client) -> Result<u64, Error> {
    let asked = ask(holder, late::Builder::TYPE_ID, &empty(), Duration::ZERO);
    let came = asked.promise.await?;
    let body = came.get()?.get_body()?;
    let message = capnp::serialize::read_message(body, ReaderOptions::new())?;
    Ok(message.get_root::<natural::Reader>()?.get_value())
}

/// Has the actor answer what it holds, and gives how many answers nobody has waited for.
async fn release_held(holder: &actor::Client) -> Result<u64, Error> {
    tell(holder, release::Builder::TYPE_ID, &empty()).await?;
    late_answers(holder).await?; // comes behind those answers
    late_answers(holder).await
}

/// Gives up a request; says whether the node has forgotten it.
async fn cancels(holder: &actor::Client) -> Result<bool, Error> {
    let before = release_held(holder).await?;
    let held = ask(holder, hold::Builder::TYPE_ID, &empty(), Duration::ZERO);
    late_answers(holder).await?; // there and back: it has arrived
    drop(held);
    late_answers(holder).await?; // the connection runs meanwhile, and sends what says so
    Ok(release_held(holder).await? == before + 1)
}

async fn use_actors(node: &directory::Client) -> Result<(), Error> {
    let host = find(node, "host");
    let came = ask(&host, hello::Builder::TYPE_ID, &hello_to("rust"), Duration::ZERO).promise.await?;
    let answer = came.get()?;
    let message = capnp::serialize::read_message(answer.get_body()?, ReaderOptions::new())?;
    let text = message.get_root::<letters::Reader>()?.get_value()?;
    let is_text = answer.get_failure() == 0 && answer.get_type() == letters::Builder::TYPE_ID;
    say("ask", is_text && text == "hello rust");
    say("tell", tell(&host, hello::Builder::TYPE_ID, &hello_to("rust")).await? == 0);

    let mut unknown = node.actor_request();
    unknown.get().set_name("nobody");
    let unknown = unknown.send();
    let nobody = unknown.pipeline.get_actor();
    let asked = failure(ask(&nobody, hello::Builder::TYPE_ID, &hello_to("x"), Duration::ZERO)).await?;
    let found = unknown.promise.await?.get()?.get_failure();
    say("unknown actor", asked == NO_SUCH_ACTOR && found == NO_SUCH_ACTOR);
    let strange = failure(ask(&host, 0x1234, &[], Duration::ZERO)).await?;
    say("unknown type", strange == NO_WIRE_FORM);
    let holder = find(node, "holder");
    let asked = ask(&holder, hold::Builder::TYPE_ID, &empty(), Duration::from_millis(20));
    say("deadline", failure(asked).await? == TIMED_OUT);
    say("cancel", cancels(&holder).await?);
    Ok(())
}

#[derive(Default)]
struct Back {
    sum: Cell<u64>,
}

impl callback::Server for Back {
    async fn call(
        self: Rc<Self>,
        call: callback::CallParams,
        mut results: callback::CallResults,
    ) -> Result<(), Error> {
        let text = call.get()?.get_text()?.to_string()?;
        results.get().set_text(&format!("back: {text}"));
        Ok(())
    }

    async fn push(self: Rc<Self>, call: callback::PushParams) -> Result<(), Error> {
        self.sum.set(self.sum.get() + call.get()?.get_value());
        Ok(())
    }

    async fn done(
        self: Rc<Self>,
        _: callback::DoneParams,
        mut results: callback::DoneResults,
    ) -> Result<(), Error> {
        results.get().set_sum(self.sum.get());
        Ok(())
    }
}

/// Is so much held, sooner or later?
async fn comes_to_hold(offered: &desk::Client, count: u64) -> Result<bool, Error> {
    for _ in 0..10_000 {
        let now = offered.holding_request().send().promise.await?;
        if now.get()?.get_count() == count {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Gives up a call of a method; says whether that has ended.
async fn cancels_method(offered: &desk::Client) -> Result<bool, Error> {
    let held = offered.hold_request().send();
    let was_held = comes_to_hold(offered, 1).await?;
    drop(held);
    Ok(was_held && comes_to_hold(offered, 0).await?)
}

/// An actor calls back, by what it was passed through the service.
async fn be_called_back(node: &directory::Client, offered: &desk::Client) -> Result<(), Error> {
    let mut enlist = offered.enlist_request();
    enlist.get().set_name("for rust");
    enlist.get().set_back(capnp_rpc::new_client(Back::default()));
    enlist.send().promise.await?;
    let caller = find(node, "for rust");
    let heard = ask(&caller, hello::Builder::TYPE_ID, &hello_to("x"), Duration::ZERO).promise.await?;
    let message = capnp::serialize::read_message(heard.get()?.get_body()?, ReaderOptions::new())?;
    let text = message.get_root::<letters::Reader>()?.get_value()?;
    say("called back by an actor", text == "back: actor: x");
    let mut wanted = Builder::new_default();
    wanted.init_root::<pour::Builder>().set_count(100);
    let poured = ask(&caller, pour::Builder::TYPE_ID, &bytes(&wanted), Duration::ZERO).promise.await?;
    let message = capnp::serialize::read_message(poured.get()?.get_body()?, ReaderOptions::new())?;
    say("stream from an actor", message.get_root::<natural::Reader>()?.get_value() == 4950);
    Ok(())
}

fn is_kind<T>(result: Result<T, Error>, kind: ErrorKind) -> bool {
    result.is_err_and(|failure| failure.kind == kind)
}

async fn use_service(node: &directory::Client) -> Result<(), Error> {
    let mut service = node.service_request();
    service.get().set_name("desk");
    let found = service.send().promise.await?;
    let offered: desk::Client = found.get()?.get_service().get_as_capability()?;
    let mut greet = offered.greet_request();
    greet.get().set_name("rust");
    say("service", greet.send().promise.await?.get()?.get_text()? == "hello rust");

    for value in 0..100 {
        let mut push = offered.push_request();
        push.get().set_value(value);
        push.send().await?;
    }
    let done = offered.done_request().send().promise.await?;
    say("stream", done.get()?.get_count() == 100 && done.get()?.get_sum() == 4950);

    let mut ring = offered.ring_request();
    ring.get().set_back(capnp_rpc::new_client(Back::default()));
    ring.get().set_text("x");
    say("callback", ring.send().promise.await?.get()?.get_heard()? == "back: desk: x");
    be_called_back(node, &offered).await?;
    say("cancelled method", cancels_method(&offered).await?);
    let failed = offered.fail_request().send().promise.await;
    say("exception", is_kind(failed, ErrorKind::Failed));
    let mut missing = node.service_request();
    missing.get().set_name("nothing");
    let missing = missing.send().promise.await?;
    say("unknown service", missing.get()?.get_failure() == NO_SUCH_ACTOR);

    let held = offered.hold_request().send();
    let began = Instant::now();
    let _ = tell(&find(node, "end"), cut::Builder::TYPE_ID, &empty()).await; // may be answered, or not any more
    let is_cut = is_kind(held.promise.await, ErrorKind::Disconnected);
    let stays_cut = is_kind(offered.done_request().send().promise.await, ErrorKind::Disconnected);
    say("cut off", is_cut && stays_cut && began.elapsed() < Duration::from_secs(5));
    Ok(())
}

#[derive(Default)]
struct Server {
    count: Cell<u64>,
    sum: Cell<u64>,
    held: Cell<u64>,
}

/// One call more is held, until this is dropped.
struct Held(Rc<Server>);

impl Held {
    fn new(by: Rc<Server>) -> Self {
        by.held.set(by.held.get() + 1);
        Held(by)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.set(self.0.held.get() - 1);
    }
}

impl desk::Server for Server {
    async fn greet(
        self: Rc<Self>,
        call: desk::GreetParams,
        mut results: desk::GreetResults,
    ) -> Result<(), Error> {
        let name = call.get()?.get_name()?.to_string()?;
        results.get().set_text(&format!("hello {name}"));
        Ok(())
    }

    async fn push(self: Rc<Self>, call: desk::PushParams) -> Result<(), Error> {
        self.count.set(self.count.get() + 1);
        self.sum.set(self.sum.get() + call.get()?.get_value());
        Ok(())
    }

    async fn done(
        self: Rc<Self>,
        _: desk::DoneParams,
        mut results: desk::DoneResults,
    ) -> Result<(), Error> {
        results.get().set_count(self.count.get());
        results.get().set_sum(self.sum.get());
        Ok(())
    }

    async fn ring(
        self: Rc<Self>,
        call: desk::RingParams,
        mut results: desk::RingResults,
    ) -> Result<(), Error> {
        let mut back = call.get()?.get_back()?.call_request();
        back.get().set_text(&format!("desk: {}", call.get()?.get_text()?.to_str()?));
        let came = back.send().promise.await?;
        results.get().set_heard(came.get()?.get_text()?);
        Ok(())
    }

    async fn fail(self: Rc<Self>, _: desk::FailParams, _: desk::FailResults) -> Result<(), Error> {
        Err(Error::failed("no".to_string()))
    }

    async fn hold(self: Rc<Self>, _: desk::HoldParams, _: desk::HoldResults) -> Result<(), Error> {
        let _held = Held::new(self);
        std::future::pending().await
    }

    async fn holding(
        self: Rc<Self>,
        _: desk::HoldingParams,
        mut results: desk::HoldingResults,
    ) -> Result<(), Error> {
        results.get().set_count(self.held.get());
        Ok(())
    }
}

fn network(socket: TcpStream, side: Side) -> Box<twoparty::VatNetwork<impl futures::AsyncRead + Unpin>> {
    let (from, to) = futures::AsyncReadExt::split(socket.compat());
    let from = futures::io::BufReader::new(from);
    let to = futures::io::BufWriter::new(to);
    Box::new(twoparty::VatNetwork::new(from, to, side, ReaderOptions::new()))
}

async fn client(address: &str) -> Result<(), Error> {
    let socket = TcpStream::connect(address).await?;
    let mut system = RpcSystem::new(network(socket, Side::Client), None);
    let node: directory::Client = system.bootstrap(Side::Server);
    tokio::task::spawn_local(system);
    use_actors(&node).await?;
    use_service(&node).await
}

async fn serve() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let object: desk::Client = capnp_rpc::new_client(Server::default());
        let system = RpcSystem::new(network(socket, Side::Server), Some(object.client));
        tokio::task::spawn_local(system);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().collect();
    let work = async {
        match arguments.get(2) {
            Some(address) => client(address).await,
            None => serve().await,
        }
    };
    let local = tokio::task::LocalSet::new();
    match tokio::time::timeout(Duration::from_secs(60), local.run_until(work)).await {
        Ok(ended) => ended,
        Err(_) => Err(Error::failed("a minute is over".to_string())),
    }
}
