// SPDX-License-Identifier: MIT

// Calls a node by Cap'n Proto's own C++, without costar; and is a small server that a program with costar
// calls.
//
// Usage: ez_desk client ADDRESS | server

#include <capnp/ez-rpc.h>
#include <capnp/serialize.h>
#include <kj/async-io.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include <costar/directory.capnp.h>
#include <costar/values.capnp.h>

#include "desk.capnp.h"

namespace {

using costar::schema::Actor;
using costar::schema::Directory;

constexpr unsigned timed_out = 2;
constexpr unsigned no_such_actor = 3;
constexpr unsigned no_wire_form = 15;

void say(const char* name, bool good)
{
    std::printf("%s: %s\n", name, good ? "ok" : "failed");
    std::fflush(stdout);
}

kj::Array<capnp::word> hello(const char* name)
{
    capnp::MallocMessageBuilder message;
    message.initRoot<desk::Hello>().setName(name);
    return capnp::messageToFlatArray(message);
}

/// The body of a message without fields.
template <class Kind>
kj::Array<capnp::word> empty()
{
    capnp::MallocMessageBuilder message;
    message.initRoot<Kind>();
    return capnp::messageToFlatArray(message);
}

template <class Kind>
auto ask(Actor::Client& who, const kj::Array<capnp::word>& body, std::uint64_t remaining = 0)
{
    auto request = who.askRequest();
    request.setType(capnp::typeId<Kind>());
    request.setBody(body.asBytes());
    request.setRemaining(remaining);
    return request.send();
}

template <class Kind>
auto tell(Actor::Client& who, const kj::Array<capnp::word>& body)
{
    auto request = who.tellRequest();
    request.setType(capnp::typeId<Kind>());
    request.setBody(body.asBytes());
    return request.send();
}

/// The value in the body of an answer.
template <class Kind, class Answer>
auto value_of(const Answer& answer)
{
    auto words = kj::heapArray<capnp::word>(answer.getBody().size() / sizeof(capnp::word));
    std::memcpy(words.begin(), answer.getBody().begin(), words.asBytes().size());
    capnp::FlatArrayMessageReader message(words);
    if constexpr (std::is_same_v<Kind, costar::schema::Letters>)
        return std::string(message.getRoot<Kind>().getValue().cStr());
    else
        return message.getRoot<Kind>().getValue();
}

auto actor(Directory::Client& node, const char* name)
{
    auto request = node.actorRequest();
    request.setName(name);
    return request.send();
}

/// Is that how it ends?
template <class Promise>
bool fails(kj::WaitScope& scope, Promise promise, kj::Exception::Type kind)
{
    const auto failure = kj::runCatchingExceptions([&] { promise.wait(scope); });
    KJ_IF_MAYBE (thrown, failure)
        return thrown->getType() == kind;
    return false;
}

class callback final : public desk::Callback::Server {
    kj::Promise<void> call(CallContext call) override
    {
        call.getResults().setText(kj::str("back: ", call.getParams().getText()));
        return kj::READY_NOW;
    }
    kj::Promise<void> push(PushContext call) override
    {
        sum_ += call.getParams().getValue();
        return kj::READY_NOW;
    }
    kj::Promise<void> done(DoneContext call) override
    {
        call.getResults().setSum(sum_);
        return kj::READY_NOW;
    }

    std::uint64_t sum_ = 0;
};

/// Has the actor answer what it holds, and gives how many answers nobody has waited for.
std::uint64_t release(kj::WaitScope& scope, Actor::Client& holder)
{
    tell<desk::Release>(holder, empty<desk::Release>()).wait(scope);
    ask<desk::Late>(holder, empty<desk::Late>()).wait(scope);  // comes behind those answers
    const auto late = ask<desk::Late>(holder, empty<desk::Late>()).wait(scope);
    return value_of<costar::schema::Natural>(late);
}

/// Cancels a request: has the node forgotten it?
bool cancels(kj::WaitScope& scope, Actor::Client& holder)
{
    const std::uint64_t before = release(scope, holder);
    {
        auto held = ask<desk::Hold>(holder, empty<desk::Hold>());
        ask<desk::Late>(holder, empty<desk::Late>()).wait(scope);  // there and back: it has arrived
    }
    return release(scope, holder) == before + 1;
}

void use_actors(kj::WaitScope& scope, Directory::Client& node)
{
    Actor::Client host = actor(node, "host").wait(scope).getActor();
    const auto answer = ask<desk::Hello>(host, hello("c++")).wait(scope);
    say("ask",
        answer.getFailure() == 0 && answer.getType() == capnp::typeId<costar::schema::Letters>() &&
            value_of<costar::schema::Letters>(answer) == "hello c++");
    say("tell", tell<desk::Hello>(host, hello("c++")).wait(scope).getFailure() == 0);

    auto unknown = actor(node, "nobody");
    Actor::Client nobody = unknown.getActor();
    const unsigned asked = ask<desk::Hello>(nobody, hello("x")).wait(scope).getFailure();
    say("unknown actor", asked == no_such_actor && unknown.wait(scope).getFailure() == no_such_actor);
    say("unknown type",
        ask<desk::Callback::CallParams>(host, nullptr).wait(scope).getFailure() == no_wire_form);
    Actor::Client holder = actor(node, "holder").getActor();
    const auto late = ask<desk::Hold>(holder, empty<desk::Hold>(), 20'000'000).wait(scope);
    say("deadline", late.getFailure() == timed_out);
    say("cancel", cancels(scope, holder));
}

/// Is so much held, sooner or later?
bool comes_to_hold(kj::WaitScope& scope, desk::Desk::Client& offered, std::uint64_t count)
{
    for (int i = 0; i < 10'000; ++i)
        if (offered.holdingRequest().send().wait(scope).getCount() == count)
            return true;
    return false;
}

/// Gives up a call of a method: has it ended?
bool cancels_method(kj::WaitScope& scope, desk::Desk::Client& offered)
{
    bool was_held = false;
    {
        auto held = offered.holdRequest().send();
        was_held = comes_to_hold(scope, offered, 1);
    }
    return was_held && comes_to_hold(scope, offered, 0);
}

/// An actor calls back, by what it was passed through the service.
void be_called_back(kj::WaitScope& scope, Directory::Client& node, desk::Desk::Client& offered)
{
    auto enlist = offered.enlistRequest();
    enlist.setName("for c++");
    enlist.setBack(kj::heap<callback>());
    enlist.send().wait(scope);
    Actor::Client caller = actor(node, "for c++").getActor();
    const auto heard = ask<desk::Hello>(caller, hello("x")).wait(scope);
    say("called back by an actor", value_of<costar::schema::Letters>(heard) == "back: actor: x");
    capnp::MallocMessageBuilder pour;
    pour.initRoot<desk::Pour>().setCount(100);
    const auto poured = ask<desk::Pour>(caller, capnp::messageToFlatArray(pour)).wait(scope);
    say("stream from an actor", value_of<costar::schema::Natural>(poured) == 4950);
}

void use_service(kj::WaitScope& scope, Directory::Client& node)
{
    auto find = node.serviceRequest();
    find.setName("desk");
    auto offered = find.send().wait(scope).getService().castAs<desk::Desk>();
    auto greet = offered.greetRequest();
    greet.setName("c++");
    say("service", greet.send().wait(scope).getText() == "hello c++");
    for (std::uint64_t value = 0; value < 100; ++value) {
        auto push = offered.pushRequest();
        push.setValue(value);
        push.send().wait(scope);
    }
    const auto done = offered.doneRequest().send().wait(scope);
    say("stream", done.getCount() == 100 && done.getSum() == 4950);
    auto ring = offered.ringRequest();
    ring.setBack(kj::heap<callback>());
    ring.setText("x");
    say("callback", ring.send().wait(scope).getHeard() == "back: desk: x");
    be_called_back(scope, node, offered);
    say("cancelled method", cancels_method(scope, offered));
    say("exception", fails(scope, offered.failRequest().send(), kj::Exception::Type::FAILED));
    auto missing = node.serviceRequest();
    missing.setName("nothing");
    say("unknown service", missing.send().wait(scope).getFailure() == no_such_actor);

    auto held = offered.holdRequest().send();
    Actor::Client end = actor(node, "end").getActor();
    const auto began = std::chrono::steady_clock::now();
    const auto told = tell<desk::Cut>(end, empty<desk::Cut>());  // may be answered, or not any more
    const bool is_cut = fails(scope, kj::mv(held), kj::Exception::Type::DISCONNECTED);
    const bool stays_cut = fails(scope, offered.doneRequest().send(), kj::Exception::Type::DISCONNECTED);
    say("cut off", is_cut && stays_cut && std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
}

class desk_server final : public desk::Desk::Server {
    kj::Promise<void> greet(GreetContext call) override
    {
        call.getResults().setText(kj::str("hello ", call.getParams().getName()));
        return kj::READY_NOW;
    }
    kj::Promise<void> push(PushContext call) override
    {
        ++count_;
        sum_ += call.getParams().getValue();
        return kj::READY_NOW;
    }
    kj::Promise<void> done(DoneContext call) override
    {
        call.getResults().setCount(count_);
        call.getResults().setSum(sum_);
        return kj::READY_NOW;
    }
    kj::Promise<void> ring(RingContext call) override
    {
        auto request = call.getParams().getBack().callRequest();
        request.setText(kj::str("desk: ", call.getParams().getText()));
        return request.send().then(
            [call](auto answer) mutable { call.getResults().setHeard(answer.getText()); });
    }
    kj::Promise<void> fail(FailContext) override { KJ_FAIL_REQUIRE("no"); }
    kj::Promise<void> hold(HoldContext call) override
    {
#if CAPNP_VERSION < 1000000
        call.allowCancellation();
#endif
        ++holding_;
        return kj::Promise<void>(kj::NEVER_DONE).attach(kj::defer([this] { --holding_; }));
    }
    kj::Promise<void> holding(HoldingContext call) override
    {
        call.getResults().setCount(holding_);
        return kj::READY_NOW;
    }

#if CAPNP_VERSION >= 1000000
    /// As an annotation would say, which 0.9 does not know.
    DispatchCallResult dispatchCall(std::uint64_t interface, std::uint16_t method,
        capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> call) override
    {
        auto dispatched = desk::Desk::Server::dispatchCall(interface, method, call);
        dispatched.allowCancellation = true;
        return dispatched;
    }
#endif

    std::uint64_t holding_ = 0;
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
};

void serve()
{
    capnp::EzRpcServer server(kj::heap<desk_server>(), "127.0.0.1", 0);
    auto& scope = server.getWaitScope();
    std::printf("127.0.0.1:%u\n", server.getPort().wait(scope));
    std::fflush(stdout);
    server.getIoProvider().getTimer().afterDelay(60 * kj::SECONDS).wait(scope);
}

}  // namespace

int main(int count, char** arguments)
{
    if (count == 3 && std::string_view(arguments[1]) == "client") {
        capnp::EzRpcClient client(arguments[2]);
        Directory::Client node = client.getMain<Directory>();
        use_actors(client.getWaitScope(), node);
        use_service(client.getWaitScope(), node);
        return 0;
    }
    serve();
}
