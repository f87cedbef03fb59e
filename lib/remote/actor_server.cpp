// SPDX-License-Identifier: MIT

#include "actor_server.hpp"

#include <costar/core/timer.hpp>
#include <costar/kernel/station.hpp>
#include <costar/rpc/call.hpp>

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

namespace costar::remote {

namespace {

/// A message of a client, on its way to an actor.
struct arrival {
    machine::held_envelope made;
    std::unique_ptr<headers> with;

    void send(machine::station& post, pid to)
    {
        if (with == nullptr)
            post.send(to, made.release());
        else
            post.admit(to, made.release(), 0, std::move(with));
    }
};

/// Reads it; the body by itself, as what is read of a message is counted each time. Gives why it cannot be,
/// nothing when it was.
errc read(link& there, schema::Message::Reader from, capnp::Data::Reader body, arrival& out)
{
    const wire::codec* const known = there.board().words().find(from.getType());
    if (known == nullptr)
        return errc::no_wire_form;
    if (!there.lets_send(known->id))
        return errc::not_permitted;
    if (body.size() > there.board().options().message_max)
        return errc::too_large;
    const auto given = from.getHeaders();
    if (given.size() > headers_max)
        return errc::malformed;
    try {
        out.made = wire::read_flat(*known, body, there.board());
    } catch (const error&) {
        return errc::malformed;
    }
    if (given.size() != 0)
        out.with = std::make_unique<headers>();
    for (const auto each : given)
        out.with->set(wire::text(each.getName()), wire::text(each.getValue()));
    there.board().counters.received.fetch_add(1, std::memory_order_relaxed);
    return {};
}

/// A request of a client, as long as its call is not answered: when the caller gives up or goes it is
/// dropped, and an answer that still comes is for nobody.
class asked final : machine::reply_waiter, machine::timer_node {
public:
    asked(kj::PromiseFulfiller<void>& done, const std::shared_ptr<link_place>& place,
        capnp::CallContext<schema::Message, schema::Answer> call, arrival sent, pid to, std::size_t bytes)
        : reply_waiter(&take_it),
          done_(done),
          place_(place),
          post_(place->there->post()),
          call_(call),
          bytes_(bytes)
    {
        timer_node::fire = [](timer_node* timer) { static_cast<asked*>(timer)->run_out(); };
        ++place_->requests;
        place_->request_bytes += bytes_;
        const std::chrono::nanoseconds remaining(
            static_cast<std::int64_t>(std::min(call_.getParams().getRemaining(), std::uint64_t{1} << 62)));
        call_.releaseParams();
        token_ = post_.expect(*this);
        sent.made->reply = token_;
        if (remaining.count() != 0) {
            sent.made->deadline = machine::deadline_after(post_.home().time_for(remaining), remaining);
            post_.home().arm(*this, sent.made->deadline);
        }
        sent.send(post_, to);
    }
    asked(const asked&) = delete;
    asked& operator=(const asked&) = delete;
    ~asked()
    {
        --place_->requests;
        place_->request_bytes -= bytes_;
        if (token_ == 0)
            return;
        post_.forget(token_);
        post_.home().disarm(*this);
    }

private:
    static void take_it(
        reply_waiter& self, const machine::message_type* type, void* value, errc failure) noexcept
    {
        static_cast<asked&>(self).answer(type, value, failure);
    }

    void run_out() noexcept
    {
        post_.forget(token_);
        answer(nullptr, nullptr, errc::timed_out);
    }

    void answer(const machine::message_type* type, void* value, errc failure) noexcept
    {
        token_ = 0;
        post_.home().disarm(*this);
        try {
            if (failure == errc{})
                failure = write(type, value);
            if (failure != errc{})
                call_.getResults().setFailure(static_cast<std::uint16_t>(failure));
            done_.fulfill();
        } catch (...) {
            done_.reject(
                kj::Exception(kj::Exception::Type::OVERLOADED, "", 0, kj::str("there is no memory")));
        }
        if (place_->there != nullptr) {
            place_->there->board().counters.sent.fetch_add(1, std::memory_order_relaxed);
            place_->there->check_output();
        }
    }

    errc write(const machine::message_type* type, void* value)
    {
        if (place_->there == nullptr)
            return errc::link_lost;
        link& there = *place_->there;
        const wire::codec* const known = there.board().words().find(*type);
        if (known == nullptr)
            return errc::no_wire_form;
        std::size_t bytes = 0;
        try {
            bytes = writer_of_thread().write(*known, value, there.board());
        } catch (...) {
            return errc::no_wire_form;
        }
        if (bytes > there.board().options().message_max)
            return errc::too_large;
        auto results = call_.getResults(capnp::MessageSize{bytes / sizeof(capnp::word) + 8, 0});
        results.setType(known->id);
        writer_of_thread().copy_to(results.initBody(static_cast<unsigned>(bytes)).begin());
        return {};
    }

    kj::PromiseFulfiller<void>& done_;
    const std::shared_ptr<link_place> place_;
    machine::station& post_;
    capnp::CallContext<schema::Message, schema::Answer> call_;
    const std::size_t bytes_;
    std::uint64_t token_ = 0;
};

link& present(const link_place& place)
{
    if (place.there == nullptr)
        kj::throwFatalException(
            kj::Exception(kj::Exception::Type::DISCONNECTED, "", 0, kj::str("the link has ended")));
    return *place.there;
}

}  // namespace

actor_server::actor_server(std::shared_ptr<link_place> place, pid who) : place_(std::move(place)), who_(who)
{
    ++place_->actors;
}

/// A caller may cancel, as Cap'n Proto 0.9 is told by the call and 1.0 by this or an annotation that 0.9 does
/// not know.
capnp::Capability::Server::DispatchCallResult actor_server::dispatchCall(std::uint64_t interface,
    std::uint16_t method, capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> call)
{
    rpc::allow_cancellation(call);
    auto dispatched = schema::Actor::Server::dispatchCall(interface, method, call);
#if CAPNP_VERSION >= 1000000
    dispatched.allowCancellation = true;
#endif
    return dispatched;
}

kj::Promise<void> actor_server::tell(TellContext call)
{
    link& there = present(*place_);
    arrival sent;
    const auto from = call.getParams();
    errc failure = who_ ? read(there, from, from.getBody(), sent) : errc::no_such_actor;
    if (failure == errc{})
        sent.send(there.post(), who_);
    call.getResults().setFailure(static_cast<std::uint16_t>(failure));
    return kj::READY_NOW;
}

kj::Promise<void> actor_server::ask(AskContext call)
{
    link& there = present(*place_);
    const auto from = call.getParams();
    const capnp::Data::Reader body = from.getBody();
    arrival sent;
    errc failure{};
    if (place_->requests >= client_requests_max || place_->request_bytes + body.size() > letter_bytes_max)
        failure = errc::mailbox_full;
    else
        failure = who_ ? read(there, from, body, sent) : errc::no_such_actor;
    if (failure != errc{}) {
        call.getResults().setFailure(static_cast<std::uint16_t>(failure));
        return kj::READY_NOW;
    }
    const std::size_t bytes = body.size() + (sent.with != nullptr ? bytes_of(*sent.with) : 0);
    return kj::newAdaptedPromise<void, asked>(place_, call, std::move(sent), who_, bytes);
}

}  // namespace costar::remote
