// SPDX-License-Identifier: MIT

// A peer that knows protocol 1 alone, by the frozen copy of its schema and Cap'n Proto's own C++, without
// costar. It prints a line for each case.
//
// Usage: frozen_peer ADDRESS

#include <capnp/any.h>
#include <capnp/rpc-twoparty.h>
#include <capnp/serialize.h>
#include <kj/async-io.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "early.capnp.h"
#include "protocol_1.capnp.h"

namespace {

constexpr unsigned no_common_protocol = 1;  // refusals
constexpr unsigned no_such_actor = 3;       // of costar::errc
constexpr unsigned name_in_use = 4;
constexpr unsigned actor_stopped = 8;
constexpr unsigned no_wire_form = 15;
constexpr unsigned unknown_kind = 21;

enum signal_kind : unsigned {
    stop = 1,
    await_end = 3,
    watch = 5,
    ended = 7
};

void say(const char* name, bool good)
{
    std::printf("%s: %s\n", name, good ? "ok" : "failed");
    std::fflush(stdout);
}

template <class Kind, class Value>
std::string body_of(const Value& value)
{
    capnp::MallocMessageBuilder message;
    message.initRoot<Kind>().setValue(value);
    const auto words = capnp::messageToFlatArray(message);
    return std::string(words.asChars().begin(), words.asChars().size());
}

std::string body_of_nothing()
{
    capnp::MallocMessageBuilder message;
    message.initRoot<frozen::Nothing>();
    const auto words = capnp::messageToFlatArray(message);
    return std::string(words.asChars().begin(), words.asChars().size());
}

capnp::Data::Reader data(const std::string& bytes)
{
    return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}

std::string bytes_of(capnp::Data::Reader data)
{
    return std::string(reinterpret_cast<const char*>(data.begin()), data.size());
}

/// What the body of a message has as its value.
template <class Kind>
auto value_in(const std::string& body)
{
    auto words = kj::heapArray<capnp::word>(body.size() / sizeof(capnp::word));
    std::memcpy(words.begin(), body.data(), words.asBytes().size());
    capnp::FlatArrayMessageReader message(words);
    if constexpr (std::is_same_v<Kind, frozen::Letters>)
        return std::string(message.getRoot<Kind>().getValue().cStr());
    else
        return message.getRoot<Kind>().getValue();
}

struct answer {
    std::uint64_t type = 0;
    std::string body;
    unsigned failure = 0;
};

/// A node of protocol 1 that has one actor, which adds up: what it has heard on a connection, and what it
/// says there.
class peer {
public:
    peer(kj::AsyncIoContext& io, std::uint64_t life, std::string address = {})
        : io_(io), life_(life), address_(std::move(address))
    {}

    // What it hears
    // ------------------------------------------------------------------------------------------------------

    std::map<std::uint64_t, answer> answers;
    std::vector<unsigned> ends;  // their reasons
    std::uint64_t sum = 42;
    unsigned pings = 0;
    bool is_watched = false;
    frozen::Sink::Client sink = nullptr;  // of the node
    frozen::Node::Client node = nullptr;

    /// Waits until it is so; false after ten seconds.
    template <class Wanted>
    bool until(Wanted is_so)
    {
        bool is_late = false;
        auto limit = io_.provider->getTimer()
                         .afterDelay(10 * kj::SECONDS)
                         .then([&] {
                             is_late = true;
                             change();
                         })
                         .eagerlyEvaluate(nullptr);
        while (!is_so() && !is_late) {
            auto next = kj::newPromiseAndFulfiller<void>();
            changed_ = kj::mv(next.fulfiller);
            next.promise.wait(io_.waitScope);
        }
        return is_so();
    }
    void change()
    {
        if (changed_.get() != nullptr)
            changed_->fulfill();
    }

    // What it says
    // ------------------------------------------------------------------------------------------------------

    void write(frozen::Greeting::Builder me, unsigned newest = 1, unsigned oldest = 1) const
    {
        me.setNewest(newest);
        me.setOldest(oldest);
        me.setName("frozen " + std::to_string(life_));
        me.setLife(life_);
        me.setMessageMax(1'000'000);
        if (!address_.empty())
            me.setAddress(address_);
    }

    /// Its actor.
    void write(frozen::Pid::Builder to) const
    {
        to.setLife(life_);
        to.setSlot(1);
        to.setGeneration(1);
        if (!address_.empty())
            to.setAddress(address_);
    }

    /// Says hello, and opens the sink of the node.
    bool greet()
    {
        auto hello = node.helloRequest();
        write(hello.initGreeting());
        const auto heard = hello.send().wait(io_.waitScope);
        const auto welcome = heard.getWelcome();
        if (welcome.getRefusal() != 0 || welcome.getProtocol() != 1 || welcome.getGreeting().getLife() == 0 ||
            welcome.getGreeting().getName() != "today")
            return false;
        sink = node.openRequest().send().getSink();
        return true;
    }

    /// Puts an envelope for an actor of the node into a batch of its own, sent by the peer's one.
    template <class Fill>
    void deliver(frozen::Pid::Reader to, Fill fill)
    {
        auto request = sink.deliverRequest();
        auto batch = request.initBatch();
        auto pids = batch.initPids(2);
        pids.setWithCaveats(0, to);
        write(pids[1]);
        auto envelope = batch.initEnvelopes(1)[0];
        envelope.setTarget(1);
        envelope.setSender(2);
        fill(envelope);
        request.send().wait(io_.waitScope);
    }

    void send(frozen::Pid::Reader to, std::uint64_t value)
    {
        const std::string body = body_of<frozen::Natural>(value);
        deliver(to, [&](frozen::Envelope::Builder envelope) {
            envelope.setType(capnp::typeId<frozen::Natural>());
            envelope.setBody(data(body));
        });
    }

    template <class Kind>
    void ask(frozen::Pid::Reader to, std::uint64_t request, const std::string& body)
    {
        deliver(to, [&](frozen::Envelope::Builder envelope) {
            envelope.setType(capnp::typeId<Kind>());
            envelope.setBody(data(body));
            envelope.setRequest(request);
            envelope.setRemaining(10'000'000'000);
        });
    }

    void signal(signal_kind kind, frozen::Pid::Reader to, std::uint64_t request = 0, unsigned reason = 0)
    {
        auto said = sink.deliverRequest();
        auto batch = said.initBatch();
        auto pids = batch.initPids(2);
        pids.setWithCaveats(0, to);
        write(pids[1]);
        auto one = batch.initSignals(1)[0];
        one.setKind(kind);
        one.setTarget(1);
        one.setAbout(2);
        one.setRequest(request);
        one.setReason(reason);
        said.send().wait(io_.waitScope);
    }

    /// What has been asked of the node comes to so much.
    template <class Kind, class Value>
    bool is_answered(std::uint64_t request, const Value& value)
    {
        return until([&] { return answers.count(request) != 0; }) && answers[request].failure == 0 &&
            answers[request].type == capnp::typeId<Kind>() && value_in<Kind>(answers[request].body) == value;
    }

    kj::Own<frozen::Node::Server> server();

private:
    class node_of_peer;
    class sink_of_peer;

    kj::AsyncIoContext& io_;
    kj::Own<kj::PromiseFulfiller<void>> changed_;
    std::uint64_t life_;
    std::string address_;
};

/// Where the node's batches arrive.
class peer::sink_of_peer final : public frozen::Sink::Server {
public:
    explicit sink_of_peer(peer& owner) : owner_(owner) {}

private:
    kj::Promise<void> deliver(DeliverContext call) override
    {
        const auto batch = call.getParams().getBatch();
        for (const auto each : batch.getEnvelopes())
            take(each, bytes_of(each.getBody()),
                each.getTarget() != 0 ? batch.getPids()[each.getTarget() - 1].getLife() : 0);
        for (const auto each : batch.getSignals()) {
            if (each.getKind() == watch)
                owner_.is_watched = batch.getPids()[each.getTarget() - 1].getLife() == owner_.life_;
            if (each.getKind() == ended)
                owner_.ends.push_back(each.getReason());
        }
        owner_.change();
        return kj::READY_NOW;
    }

    kj::Promise<void> piece(PieceContext call) override
    {
        const auto part = call.getParams().getPart();
        if (part.getSize() != 0) {
            size_ = part.getSize();
            parts_.clear();
            answers_ = part.getEnvelope().getAnswers();
            type_ = part.getEnvelope().getType();
        }
        parts_ += bytes_of(part.getData());
        if (parts_.size() == size_ && answers_ != 0)
            owner_.answers[answers_] = {type_, parts_, 0};
        ++count_;
        owner_.change();
        return kj::READY_NOW;
    }

    kj::Promise<void> done(DoneContext call) override
    {
        call.getResults().setCount(count_);
        return kj::READY_NOW;
    }

    void take(frozen::Envelope::Reader from, const std::string& body, std::uint64_t life)
    {
        ++count_;
        if (from.getAnswers() != 0) {
            owner_.answers[from.getAnswers()] = {from.getType(), body, from.getFailure()};
        } else if (life == owner_.life_ && from.getType() == capnp::typeId<frozen::Natural>()) {
            owner_.sum += value_in<frozen::Natural>(body);
        } else if (from.getRequest() != 0) {
            const std::string sum = body_of<frozen::Natural>(owner_.sum);
            auto request = owner_.sink.deliverRequest();
            auto answer = request.initBatch().initEnvelopes(1)[0];
            answer.setAnswers(from.getRequest());
            answer.setType(capnp::typeId<frozen::Natural>());
            answer.setBody(data(sum));
            request.send().detach([](kj::Exception&&) {});
        }
    }

    peer& owner_;
    std::uint64_t count_ = 0;
    std::uint32_t size_ = 0;
    std::string parts_;
    std::uint64_t answers_ = 0;
    std::uint64_t type_ = 0;
};

class peer::node_of_peer final : public frozen::Node::Server {
public:
    explicit node_of_peer(peer& owner) : owner_(owner) {}

private:
    kj::Promise<void> hello(HelloContext call) override
    {
        auto welcome = call.getResults().initWelcome();
        welcome.setProtocol(1);
        owner_.write(welcome.initGreeting());
        return kj::READY_NOW;
    }
    kj::Promise<void> open(OpenContext call) override
    {
        call.getResults().setSink(kj::heap<sink_of_peer>(owner_));
        return kj::READY_NOW;
    }
    kj::Promise<void> find(FindContext call) override
    {
        owner_.write(call.getResults().initWho());
        return kj::READY_NOW;
    }
    kj::Promise<void> ping(PingContext) override
    {
        ++owner_.pings;
        owner_.change();
        return kj::READY_NOW;
    }
    kj::Promise<void> spawn(SpawnContext call) override
    {
        call.getResults().setFailure(unknown_kind);
        return kj::READY_NOW;
    }

    peer& owner_;
};

kj::Own<frozen::Node::Server> peer::server()
{
    return kj::heap<node_of_peer>(*this);
}

/// A connection to the node, on which the bootstrap of each side is its Node; that of a client is nothing.
class connection {
public:
    connection(kj::Own<kj::AsyncIoStream> stream, bool has_dialled, frozen::Node::Client mine)
        : stream_(kj::mv(stream)),
          network_(*stream_,
              has_dialled ? capnp::rpc::twoparty::Side::CLIENT : capnp::rpc::twoparty::Side::SERVER),
          calls_(capnp::makeRpcServer(network_, kj::mv(mine))),
          other_(has_dialled ? capnp::rpc::twoparty::Side::SERVER : capnp::rpc::twoparty::Side::CLIENT)
    {}

    frozen::Node::Client node()
    {
        capnp::MallocMessageBuilder message;
        auto who = message.initRoot<capnp::rpc::twoparty::VatId>();
        who.setSide(other_);
        return calls_.bootstrap(who).castAs<frozen::Node>();
    }

private:
    kj::Own<kj::AsyncIoStream> stream_;
    capnp::TwoPartyVatNetwork network_;
    capnp::RpcSystem<capnp::rpc::twoparty::VatId> calls_;
    capnp::rpc::twoparty::Side other_;
};

kj::Own<kj::AsyncIoStream> dial(kj::AsyncIoContext& io, const char* address)
{
    return io.provider->getNetwork().parseAddress(address).wait(io.waitScope)->connect().wait(io.waitScope);
}

auto find(kj::AsyncIoContext& io, peer& me, const char* name)
{
    auto request = me.node.findRequest();
    request.setName(name);
    return request.send().wait(io.waitScope);
}

auto spawn(kj::AsyncIoContext& io, peer& me, const char* kind)
{
    auto request = me.node.spawnRequest();
    request.setKind(kind);
    request.setName("spawned");
    return request.send().wait(io.waitScope);
}

/// The body of a message that is an address.
std::string body_of_pid(const peer& me)
{
    capnp::MallocMessageBuilder message;
    me.write(message.initRoot<frozen::Pid>());
    const auto words = capnp::messageToFlatArray(message);
    return std::string(words.asChars().begin(), words.asChars().size());
}

/// All that a peer does on a connection that it has dialled.
void talk(kj::AsyncIoContext& io, const char* address)
{
    peer me(io, 1001);
    connection to(dial(io, address), true, me.server());
    me.node = to.node();
    say("greet", me.greet());

    const auto adder = find(io, me, "adder");
    say("find", adder.getWho().getLife() != 0 && find(io, me, "nobody").getWho().getLife() == 0);

    me.send(adder.getWho(), 5);
    me.send(adder.getWho(), 6);
    me.ask<frozen::Nothing>(adder.getWho(), 1, body_of_nothing());
    say("send and ask", me.is_answered<frozen::Natural>(1, 11u));

    me.ask<frozen::Bytes>(adder.getWho(), 2, body_of_nothing());
    say("ask what nobody there knows",
        me.until([&] { return me.answers.count(2) != 0; }) && me.answers[2].failure == no_wire_form);

    const auto guest = find(io, me, "guest");
    me.ask<frozen::Pid>(guest.getWho(), 3, body_of_pid(me));
    say("be watched, told and asked", me.is_answered<frozen::Truth>(3, true) && me.is_watched);
    me.signal(ended, guest.getWho(), 0, actor_stopped);
    me.ask<frozen::Nothing>(guest.getWho(), 4, body_of_nothing());
    say("tell of an end", me.is_answered<frozen::Natural>(4, 1u));

    const auto spawned = spawn(io, me, "adder");
    me.ask<frozen::Nothing>(spawned.getWho(), 5, body_of_nothing());
    say("spawn",
        spawned.getFailure() == 0 && me.is_answered<frozen::Natural>(5, 0u) &&
            spawn(io, me, "adder").getFailure() == name_in_use &&
            spawn(io, me, "nothing").getFailure() == unknown_kind);

    me.signal(watch, spawned.getWho());
    me.signal(await_end, spawned.getWho(), 6);
    me.signal(stop, spawned.getWho(), 7);
    say("watch, wait for an end, and stop",
        me.until([&] { return !me.ends.empty() && me.answers.count(6) != 0 && me.answers.count(7) != 0; }) &&
            me.ends.front() == actor_stopped && me.answers[7].failure == 0 &&
            me.answers[7].type == capnp::typeId<frozen::Nothing>());
    me.signal(watch, spawned.getWho());
    say("watch who has ended",
        me.until([&] { return me.ends.size() == 2; }) && me.ends.back() == no_such_actor);

    me.node.pingRequest().send().wait(io.waitScope);
    const unsigned pings = me.pings;
    say("ping", me.until([&] { return me.pings > pings; }));
}

/// A message that is larger than a part, and an answer that is.
void talk_in_parts(kj::AsyncIoContext& io, const char* address)
{
    peer me(io, 1002);
    connection to(dial(io, address), true, me.server());
    me.node = to.node();
    const bool is_welcome = me.greet();
    const auto echo = find(io, me, "echo");
    auto open = me.node.openRequest();
    open.setLane(2);
    auto bulk = open.send().getSink();
    const std::string text(150'000, 'x');
    const std::string body = body_of<frozen::Letters>(text);
    constexpr std::size_t part_max = 65'536;
    for (std::size_t at = 0; at < body.size(); at += part_max) {
        auto request = bulk.pieceRequest();
        auto part = request.initPart();
        if (at == 0) {
            auto envelope = part.initEnvelope();
            envelope.setType(capnp::typeId<frozen::Letters>());
            envelope.setRequest(1);
            part.setTarget(echo.getWho());
            me.write(part.initSender());
            part.setSize(static_cast<std::uint32_t>(body.size()));
        }
        part.setData(data(body.substr(at, part_max)));
        request.send().wait(io.waitScope);
    }
    const bool is_answered = me.is_answered<frozen::Letters>(1, text + "!");
    const auto done = bulk.doneRequest().send().wait(io.waitScope);
    say("parts", is_welcome && is_answered && done.getCount() == 1 && done.getUnreadable() == 0);
}

/// What is older than the last fields does not have them.
void talk_early(kj::AsyncIoContext& io, const char* address)
{
    peer me(io, 1003);
    connection to(dial(io, address), true, me.server());
    me.node = to.node();

    capnp::MallocMessageBuilder message;
    auto greeting = message.initRoot<early::Greeting>();
    greeting.setNewest(1);
    greeting.setOldest(1);
    greeting.setName("frozen 1003");
    greeting.setLife(1003);
    greeting.setMessageMax(1'000'000);
    auto hello = me.node.helloRequest();
    capnp::toAny(hello).getPointerSection()[0].setAs<early::Greeting>(greeting.asReader());
    const bool is_welcome = hello.send().wait(io.waitScope).getWelcome().getRefusal() == 0;
    me.sink = me.node.openRequest().send().getSink();

    const auto echo = find(io, me, "echo");
    capnp::MallocMessageBuilder other;
    auto batch = other.initRoot<early::Batch>();
    batch.initPids(1).setWithCaveats(0, echo.getWho());
    auto envelope = batch.initEnvelopes(1)[0];
    envelope.setTarget(1);
    envelope.setRequest(1);
    envelope.setType(capnp::typeId<frozen::Letters>());
    const std::string body = body_of<frozen::Letters>("early");
    envelope.setBody(data(body));
    auto request = me.sink.deliverRequest();
    capnp::toAny(request).getPointerSection()[0].setAs<early::Batch>(batch.asReader());
    request.send().wait(io.waitScope);
    say("without the last fields", is_welcome && me.is_answered<frozen::Letters>(1, std::string("early!")));
}

/// The node dials, since it hears of an actor at an address; and a client tells it, which is no node.
void be_dialled(kj::AsyncIoContext& io, const char* address)
{
    auto door = io.provider->getNetwork().parseAddress("127.0.0.1").wait(io.waitScope)->listen();
    peer me(io, 1004, "127.0.0.1:" + std::to_string(door->getPort()));

    connection client(dial(io, address), true, nullptr);
    auto directory = client.node();
    auto looked = directory.actorRequest();
    looked.setName("guest");
    auto request = looked.send().getActor().askRequest();
    request.setType(capnp::typeId<frozen::Pid>());
    const std::string body = body_of_pid(me);
    request.setBody(data(body));
    auto answered = request.send();

    connection from(door->accept().wait(io.waitScope), false, me.server());
    me.node = from.node();
    say("be dialled", me.greet());
    const auto answer = answered.wait(io.waitScope);
    say("ask as a client",
        answer.getFailure() == 0 && value_in<frozen::Truth>(bytes_of(answer.getBody())) && me.is_watched);
    say("be pinged", me.until([&] { return me.pings != 0; }));
}

/// Which protocol two agree on, and when there is none.
void agree(kj::AsyncIoContext& io, const char* address)
{
    const auto heard = [&](std::uint64_t life, unsigned newest, unsigned oldest) {
        peer me(io, life);
        connection to(dial(io, address), true, me.server());
        me.node = to.node();
        auto hello = me.node.helloRequest();
        me.write(hello.initGreeting(), newest, oldest);
        const auto answer = hello.send().wait(io.waitScope);
        return std::make_pair(
            unsigned{answer.getWelcome().getRefusal()}, unsigned{answer.getWelcome().getProtocol()});
    };
    say("the newest that both speak", heard(1005, 2, 1) == std::make_pair(0u, 1u));
    say("nothing in common", heard(1006, 3, 2) == std::make_pair(no_common_protocol, 0u));
}

}  // namespace

int main(int, char** arguments)
{
    auto io = kj::setupAsyncIo();
    talk(io, arguments[1]);
    talk_in_parts(io, arguments[1]);
    talk_early(io, arguments[1]);
    be_dialled(io, arguments[1]);
    agree(io, arguments[1]);
    return 0;
}
