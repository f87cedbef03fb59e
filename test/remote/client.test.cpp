// SPDX-License-Identifier: MIT

// Programs that are no nodes: they call actors and services, and greet nobody.

#include <costar/core/use_task.hpp>
#include <costar/remote/node.hpp>
#include <costar/rpc/connection.hpp>
#include <costar/rpc/service.hpp>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <support/catch.hpp>

#include <costar/node.capnp.h>

#include "calls.hpp"
#include "hub.capnp.h"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;

namespace {

constexpr unsigned number(errc of) noexcept
{
    return static_cast<unsigned>(of);
}

/// Looks like a node, and counts who greets it.
class greeted_node final : public schema::Node::Server {
public:
    explicit greeted_node(int& count) : count_(count) {}

private:
    kj::Promise<void> hello(HelloContext) override
    {
        ++count_;
        return kj::READY_NOW;
    }
    int& count_;
};

/// The thread of a program with Cap'n Proto.
struct own_loop {
    boost::asio::io_context io;
    rpc::event_loop loop{io.get_executor()};
};

/// A client of a node.
struct client {
    client(const place& there, own_loop& here) : io(here.io)
    {
        tcp::socket socket(io);
        socket.connect(endpoint_of(there));
        calls.emplace(
            rpc::connection::client(rpc::make_stream(std::move(socket)), kj::heap<greeted_node>(greeted)));
        node.emplace(calls->bootstrap<schema::Node>());
    }

    auto find(const char* name)
    {
        auto request = (*node)->actorRequest();
        request.setName(name);
        return request.send();
    }
    schema::Actor::Client actor(const char* name) { return find(name).getActor(); }

    template <class Message>
    auto request_of(schema::Actor::Client who, const Message& message, std::uint64_t remaining = 0)
    {
        auto request = who.askRequest();
        flat_bytes body(message);
        request.setType(wire::schema_id<Message>());
        request.setBody(body.data());
        request.setRemaining(remaining);
        return request;
    }
    template <class Message>
    auto ask(schema::Actor::Client who, const Message& message, std::uint64_t remaining = 0)
    {
        return results_of(io, request_of(kj::mv(who), message, remaining).send());
    }
    template <class Message>
    unsigned tell(schema::Actor::Client who, const Message& message)
    {
        auto request = who.tellRequest();
        flat_bytes body(message);
        request.setType(wire::schema_id<Message>());
        request.setBody(body.data());
        return results_of(io, request.send()).getFailure();
    }

    auto service(const char* name)
    {
        auto request = (*node)->serviceRequest();
        request.setName(name);
        return results_of(io, request.send());
    }

    boost::asio::io_context& io;
    int greeted = 0;
    std::optional<rpc::connection> calls;
    std::optional<rpc::nothrow<schema::Node::Client>> node;
};

std::string text_in(const rpc::answer<schema::Answer>& answer)
{
    return read_as<std::string>(answer.getBody());
}

/// Have so many answers found that nobody waits any more? They come from another strand.
bool late_replies_come_to(place& there, std::uint64_t count)
{
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (there.actors.figures().late_replies < count && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    return there.actors.figures().late_replies == count;
}

/// Holds requests; a `more` has it answer them, and a `total` gives how many it holds.
task<> keeper(context& self)
{
    std::vector<message> held;
    while (message m = co_await self.receive()) {
        if (m.is<greeting>())
            held.push_back(std::move(m));
        else
            m.match(
                [&](const more&) {
                    for (message& each : held)
                        each.respond(std::string("at last"));
                    held.clear();
                },
                [&](const total&) { return std::uint64_t{held.size()}; });
    }
}

/// Tells all names that it has heard.
task<> recorder(context& self)
{
    std::string all;
    while (message m = co_await self.receive())
        m.match([&](const greeting& said) { return all += said.name; });
}

/// Tells the first header.
task<> header_reader(context& self)
{
    while (message m = co_await self.receive()) {
        const std::string found(m.headers().find("trace").value_or("none"));
        m.match([&](const greeting&) { return found; });
    }
}

/// A service: its method is a coroutine, and asks an actor.
class hub_of_node final : public rpc::service<hub::Hub> {
public:
    explicit hub_of_node(engine& actors) : actors_(actors) {}

private:
    kj::Promise<void> echo(EchoContext call) override { return answer(call, echo_by_host(call)); }
    task<> echo_by_host(rpc::call<EchoContext> call)
    {
        const std::string name = call->getParams().getText().cStr();
        const std::string said = co_await actors_.ask(*actors_.find("host"), greeting{name}, 5s, use_task);
        call->getResults().setText(said);
    }

    engine& actors_;
};

}  // namespace

TEST_CASE("client: an actor is asked and told by its name, without a greeting", "[remote][client]")
{
    own_loop here;
    place there;
    heard<remote::peer_connected> met(there.actors);
    there.actors.spawn("host", host);
    const pid sum = there.actors.spawn("adder", adder);
    client caller(there, here);
    const auto answer = caller.ask(caller.actor("host"), greeting{"bob"}, 5'000'000'000);
    CHECK(answer.getFailure() == 0);
    CHECK(answer.getType() == wire::schema_id<std::string>());
    CHECK(text_in(answer) == "hello bob");
    CHECK(caller.tell(caller.actor("adder"), more{5}) == 0);
    CHECK(caller.tell(caller.actor("adder"), more{6}) == 0);
    CHECK(there.ask(sum, total{}) == 11);
    CHECK(caller.greeted == 0);
    place node({});  // nodes are greeted as ever
    CHECK(node.ask(node.find(there, "host"), greeting{"x"}) == "hello x");
    CHECK(met.comes());
}

TEST_CASE("client: a message is as large as one of a node", "[remote][client]")
{
    constexpr std::size_t most = 1'500'000;
    own_loop here;
    place there({.listen = "127.0.0.1:0", .message_max = most});
    there.actors.spawn("host", host);
    client caller(there, here);
    CHECK(text_in(caller.ask(caller.actor("host"), greeting{std::string(most - 1000, 'x')})).size() >
        most - 1000);
    CHECK(caller.tell(caller.actor("host"), greeting{std::string(most - 1000, 'x')}) == 0);
    CHECK(caller.tell(caller.actor("host"), greeting{std::string(most, 'x')}) ==
        static_cast<unsigned>(errc::too_large));
}

TEST_CASE("client: calls through one object arrive in order", "[remote][client]")
{
    own_loop here;
    place there;
    there.actors.spawn("recorder", recorder);
    client caller(there, here);
    schema::Actor::Client records = caller.actor("recorder");
    std::vector<rpc::pending<capnp::RemotePromise<schema::Answer>>> calls;
    std::string all;
    for (char name = 'a'; name <= 'z'; ++name) {
        all += name;
        calls.emplace_back(caller.request_of(records, greeting{std::string(1, name)}).send());
    }
    CHECK(text_in(caller.ask(records, greeting{})) == all);
}

TEST_CASE("client: a node that leaves does not wait for one, and answers it", "[remote][client]")
{
    own_loop here;
    place there;
    there.actors.spawn("host", host);
    client caller(there, here);
    CHECK(text_in(caller.ask(caller.actor("host"), greeting{"x"})) == "hello x");
    there.node.leave(10s, boost::asio::use_future).get();
    CHECK(text_in(caller.ask(caller.actor("host"), greeting{"y"})) == "hello y");
}

TEST_CASE("client: what cannot be is a number", "[remote][client]")
{
    own_loop here;
    place there({.listen = "127.0.0.1:0", .message_max = 1000});
    there.actors.spawn("host", host);
    there.actors.spawn("talker", talker);
    const pid brief = there.actors.spawn("brief", host);
    client caller(there, here);
    schema::Actor::Client known = caller.actor("host");
    CHECK(results_of(caller.io, caller.find("nobody")).getFailure() == number(errc::no_such_actor));
    CHECK(caller.ask(caller.actor("nobody"), greeting{}).getFailure() == number(errc::no_such_actor));
    CHECK(caller.tell(caller.actor("nobody"), greeting{}) == number(errc::no_such_actor));
    CHECK(caller.ask(known, dialect{}).getFailure() == number(errc::no_wire_form));
    CHECK(caller.tell(known, dialect{}) == number(errc::no_wire_form));
    CHECK(caller.ask(known, total{}).getFailure() == number(errc::not_understood));
    auto nonsense = caller.request_of(known, greeting{});
    nonsense.setBody({reinterpret_cast<const kj::byte*>("nonsense"), 8});
    CHECK(results_of(caller.io, nonsense.send()).getFailure() == number(errc::malformed));
    CHECK(caller.ask(known, greeting{std::string(2000, 'x')}).getFailure() == number(errc::too_large));
    CHECK(caller.ask(caller.actor("talker"), greeting{"x", 2000}).getFailure() == number(errc::too_large));
    schema::Actor::Client gone = caller.actor("brief");
    CHECK(text_in(caller.ask(gone, greeting{"x"})) == "hello x");
    there.actors.stop(brief, boost::asio::use_future).get();
    CHECK(caller.ask(gone, greeting{}).getFailure() == number(errc::no_such_actor));
    CHECK(text_in(caller.ask(known, greeting{"still"})) == "hello still");
}

TEST_CASE("client: headers come along", "[remote][client]")
{
    own_loop here;
    place there;
    there.actors.spawn("reader", header_reader);
    client caller(there, here);
    auto request = caller.request_of(caller.actor("reader"), greeting{});
    auto with = request.initHeaders(1);
    with[0].setName("trace");
    with[0].setValue("17");
    CHECK(text_in(results_of(caller.io, request.send())) == "17");
    CHECK(text_in(caller.ask(caller.actor("reader"), greeting{})) == "none");
    auto many = caller.request_of(caller.actor("reader"), greeting{});
    many.initHeaders(1000);
    CHECK(results_of(caller.io, many.send()).getFailure() == number(errc::malformed));
}

TEST_CASE("client: the node keeps the deadline of a request", "[remote][client]")
{
    own_loop here;
    place there;
    const pid holds = there.actors.spawn("keeper", keeper);
    client caller(there, here);
    CHECK(caller.ask(caller.actor("keeper"), greeting{}, 1'000'000).getFailure() == number(errc::timed_out));
    CHECK(caller.ask(caller.actor("keeper"), greeting{}, 1).getFailure() == number(errc::timed_out));
    there.actors.send(holds, more{});  // answers nobody
    CHECK(there.ask(holds, total{}) == 0);
}

TEST_CASE("client: a request that is cancelled is forgotten", "[remote][client]")
{
    own_loop here;
    place there;
    const pid holds = there.actors.spawn("keeper", keeper);
    client caller(there, here);
    schema::Actor::Client kept = caller.actor("keeper");
    {
        auto call = caller.request_of(kept, greeting{}).send();
        CHECK(caller.ask(kept, total{}).getFailure() == 0);
    }
    CHECK(caller.ask(kept, total{}).getFailure() == 0);  // behind the Finish
    CHECK(there.ask(holds, total{}) == 1);
    there.actors.send(holds, more{});
    CHECK(late_replies_come_to(there, 1));
}

TEST_CASE("client: one who goes leaves nothing, and one whose node goes is told", "[remote][client]")
{
    own_loop here;
    std::optional<place> there(std::in_place);
    const pid holds = there->actors.spawn("keeper", keeper);
    there->ask(holds, total{});
    const auto alone = there->actors.figures().live;
    {
        client gone(*there, here);
        auto call = gone.request_of(gone.actor("keeper"), greeting{}).send();
        CHECK(gone.ask(gone.actor("keeper"), total{}).getFailure() == 0);
    }
    while (there->actors.figures().live != alone)
        std::this_thread::yield();
    there->actors.send(holds, more{});
    CHECK(late_replies_come_to(*there, 1));

    client caller(*there, here);
    auto call = caller.request_of(caller.actor("keeper"), greeting{}).send();
    CHECK(caller.ask(caller.actor("keeper"), total{}).getFailure() == 0);
    there.reset();
    CHECK(said_of(caller.io, caller.calls->disconnected()) == "");
    CHECK(said_of(caller.io, kj::mv(call)) != "nothing came");
    CHECK(said_of(caller.io, caller.find("keeper")) != "");
}

TEST_CASE("client: one is no node, and a node says hello before it asks for actors", "[remote][client]")
{
    own_loop here;
    place there;
    there.actors.spawn("host", host);
    client caller(there, here);
    CHECK(results_of(caller.io, caller.find("host")).getFailure() == 0);
    CHECK(said_of(caller.io, caller.node.value()->helloRequest().send()).find("hello first") !=
        std::string::npos);
    CHECK(said_of(caller.io, caller.node.value()->openRequest().send()).find("hello first") !=
        std::string::npos);
    CHECK(said_of(caller.io, caller.node.value()->pingRequest().send()).find("hello first") !=
        std::string::npos);

    client refused(there, here);
    auto hello = refused.node.value()->helloRequest();  // no life
    CHECK(results_of(refused.io, hello.send()).getWelcome().getRefusal() != 0);
    CHECK(said_of(refused.io, refused.find("host")) != "");
}

TEST_CASE("client: one that makes no call is let go", "[remote][client]")
{
    own_loop here;
    place there({.listen = "127.0.0.1:0", .greeting_timeout = 50ms});
    client caller(there, here);
    CHECK(said_of(caller.io, caller.calls->disconnected()) == "");
    there.actors.spawn("host", host);
    client other(there, here);  // one that has made a call is not
    CHECK(results_of(other.io, other.find("host")).getFailure() == 0);
    client third(there, here);
    CHECK(said_of(third.io, third.calls->disconnected()) == "");
    CHECK(text_in(other.ask(other.actor("host"), greeting{"x"})) == "hello x");
}

TEST_CASE("client: requests under way, and actors that are held, have an end", "[remote][client]")
{
    own_loop here;
    place there;
    const pid holds = there.actors.spawn("keeper", keeper);
    client caller(there, here);
    schema::Actor::Client kept = caller.actor("keeper");
    std::vector<rpc::pending<capnp::RemotePromise<schema::Answer>>> calls;
    for (int i = 0; i < 10'000; ++i)
        calls.emplace_back(caller.request_of(kept, greeting{}).send());
    CHECK(caller.ask(kept, greeting{}).getFailure() == number(errc::mailbox_full));
    calls.clear();
    caller.tell(kept, more{});
    CHECK(caller.ask(kept, total{}).getFailure() == 0);
    CHECK(there.ask(holds, total{}) == 0);

    std::vector<rpc::nothrow<schema::Actor::Client>> actors;
    for (int i = 1; i < 10'000; ++i)
        actors.emplace_back(caller.actor("keeper"));
    CHECK(results_of(caller.io, caller.find("keeper")).getFailure() == number(errc::mailbox_full));
    actors.clear();
    results_of(caller.io, caller.find("keeper"));
    CHECK(results_of(caller.io, caller.find("keeper")).getFailure() == 0);
}

TEST_CASE("client: one that asks and does not take the answers is let go", "[remote][client]")
{
    own_loop here;
    place there({.listen = "127.0.0.1:0", .queue_bytes_max = 1'000'000});  // so that 64 MiB are too many
    there.actors.spawn("keeper", keeper);
    there.actors.spawn("talker", talker);
    client caller(there, here);
    schema::Actor::Client talks = caller.actor("talker");
    std::vector<rpc::pending<capnp::RemotePromise<schema::Answer>>> calls;
    for (int i = 0; i < 100; ++i)
        calls.emplace_back(caller.request_of(talks, greeting{"x", 1'000'000}).send());
    caller.io.restart();
    while (there.node.counters().received == 0)
        caller.io.poll_one();
    // The socket is not read until the node has made all the answers that it is ready to keep.
    while (there.node.counters().sent < 60)
        there.ask(there.actors.find("talker").value(), greeting{"x", 1});
    CHECK(said_of(caller.io, caller.calls->disconnected()) == "");
}

TEST_CASE("client: services are found by name, one for each connection", "[remote][client]")
{
    own_loop here;
    std::atomic<int> made{0};
    place there;
    there.actors.spawn("host", host);
    there.node.offer("hub", [&] {
        ++made;
        return kj::heap<hub_of_node>(there.actors);
    });
    there.node.offer("broken", []() -> capnp::Capability::Client { throw std::runtime_error("no"); });
    client caller(there, here);
    CHECK(caller.service("nothing").getFailure() == number(errc::no_such_actor));
    CHECK(caller.service("broken").getFailure() == number(errc::actor_failed));
    auto found = caller.service("hub");
    REQUIRE(found.getFailure() == 0);
    auto echo = found.getService().castAs<hub::Hub>().echoRequest();
    echo.setText("bob");
    CHECK(std::string(results_of(caller.io, echo.send()).getText().cStr()) == "hello bob");
    CHECK(caller.service("hub").getFailure() == 0);
    CHECK(made == 1);
    client other(there, here);
    CHECK(other.service("hub").getFailure() == 0);
    CHECK(made == 2);
    there.node.offer("hub", {});
    CHECK(other.service("hub").getFailure() == 0);  // it has it already
    client late(there, here);
    CHECK(late.service("hub").getFailure() == number(errc::no_such_actor));
}

TEST_CASE("client: where it is said who is let in, nobody is who proves no name", "[remote][client]")
{
    own_loop here;
    place there({.name = "there", .listen = "127.0.0.1:0", .allowed = {"friend"}});
    there.actors.spawn("host", host);
    client caller(there, here);
    CHECK(said_of(here.io, caller.find("host")).find("proves no name") != std::string::npos);
    place friendly({.name = "friend"});
    CHECK(friendly.ask(friendly.find(there, "host"), greeting{"x"}) == "hello x");
}

TEST_CASE("client: a message that is for nodes with a name is refused", "[remote][client]")
{
    own_loop here;
    remote::senders allowed;
    allowed.add<greeting, more>(remote::peers{"a"});
    place there({.listen = "127.0.0.1:0", .sent_by = allowed});
    there.actors.spawn("host", host);
    there.actors.spawn("adder", adder);
    client caller(there, here);
    CHECK(caller.ask(caller.actor("host"), greeting{"bob"}).getFailure() ==
        static_cast<unsigned>(errc::not_permitted));
    CHECK(caller.tell(caller.actor("adder"), more{5}) == static_cast<unsigned>(errc::not_permitted));
    CHECK(caller.ask(caller.actor("adder"), total{}).getFailure() == 0);
}
