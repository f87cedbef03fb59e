// SPDX-License-Identifier: MIT

#include "link.hpp"

#include "admission.hpp"
#include "sink.hpp"

#include <costar/core/log.hpp>
#include <costar/core/result.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/with_timeout.hpp>
#include <costar/kernel/station.hpp>
#include <costar/rpc/await.hpp>

#include <fmt/format.h>

#include <utility>

namespace costar::remote {

namespace {

constexpr std::uint16_t open_method = 1;  // of Node

}  // namespace

link::link(context& self, switchboard& board, rpc::connection connection, std::shared_ptr<link_place> place,
    std::string address, bool has_dialled)
    : self_(self),
      board_(board),
      post_(*board.shared().stations[machine::strand_context::current()->index()]),
      place_(std::move(place)),
      connection_(std::move(connection)),
      direct_(connection_.gathering(), {capnp::typeId<schema::Node>(), open_method},
          capnp::typeId<schema::Sink>(), sink::methods, *this),
      caller_(has_dialled ? caller_kind::node : caller_kind::unknown),
      first_call_(kj::newPromiseAndFulfiller<void>()),
      use_(kj::newPromiseAndFulfiller<void>()),
      node_(has_dialled ? connection_.bootstrap<schema::Node>() : schema::Node::Client(nullptr)),
      address_(std::move(address)),
      mine_(board.new_greeting()),
      has_dialled_(has_dialled)
{
    place_->there = this;
}

link::~link() noexcept
{
    if (!post().is_being_destroyed())
        lose_held();
    place_->there = nullptr;
    board_.book().forget(self_.pid(), peer_);
    board_.names().forget_link(self_.pid());
    if (counters_ != nullptr) {
        count_bytes();
        if (is_used_)
            count_link(false);
    }
    if (!post().is_being_destroyed())
        tell_of_end();
}

/// It was not sent.
void link::lose(const letter& left, errc why) noexcept
{
    if (left.request != 0) {
        if (const auto found = asked_.find(left.request); found != asked_.end()) {
            const asker waits = found->second;
            asked_.erase(found);
            if (why == errc::timed_out)
                tell_of_overdue(waits, false);
            post().fail(waits.token, why);
        }
    } else if (left.answers == 0) {
        board_.tell_of_loss(post().home().now(), left.target, left.sender, why, left.type);
    }
}

/// Whoever waits or watches across the link is told that it is lost.
void link::tell_of_end() noexcept
{
    for (const letter& left : letters_)
        lose(left);
    for (const bulk_lane::item& left : bulk_.items())
        if (const letter* const message = std::get_if<letter>(&left.what); message != nullptr)
            lose(*message);
    if (in_parts_ != nullptr)
        lose(*in_parts_);
    while (!outside_.empty())
        outside_.pop().lose(post(), errc::unreachable);
    while (!taking_over_.has_none())
        taking_over_.pop().bury(post(), errc::unreachable);
    for (const auto& [request, waits] : std::exchange(asked_, {}))
        post().fail(waits.token, errc::link_lost);
    for (const auto& [request, owed] : owed_) {
        post().forget(owed->token);
        if (owed->ends)
            post().forget_end(owed->ends, owed->token);
    }
    for (const denied_stop& denied : denied_)
        post().forget(denied.token);
    for (const watch_across& each : watching_)
        post().tell_watcher(each.watcher, each.target, errc::unreachable);
    for (const watch_across& each : watched_) {
        if (!board_.book().unroute(each, self_.pid()))
            continue;  // it is watched across another link by now
        if (each.watcher.is_linked)
            post().tell_watcher({each.target, true}, each.watcher.who, errc::unreachable);  // and unties it
        else
            post().remove_watcher(each.target, each.watcher);
    }
}

task<std::string> link::serve()
{
    self_.spawn_task(wait_for_end(self_, rpc::nothrow(connection_.disconnected())));
    std::string refused = co_await meet_or_yield();
    if (!refused.empty())
        co_return refused;
    if (is_client()) {
        while (take(co_await self_.receive()))
            ;
        co_return why_ended_;
    }
    was_greeted_ = true;
    if (!bulk_.empty())
        carry();
    if (has_dialled_)
        board_.book().reached(address_);
    board_.shared().events.publish(peer_connected{peer_name_, address_});
    self_.spawn_task(beat(self_, place_, board_.options()));
    for (;;) {
        while (has_to_send() && outlet_->window.has_room()) {
            // A call costs as much as many messages: others of the strand go on first, as long as they add to
            // it.
            const std::uint64_t begun = post().home().now();
            for (std::size_t before = 0; before != letters_.size() && !is_batch_full() &&
                post().home().has_ready() && post().home().now() - begun < gathering_max;) {
                before = letters_.size();
                co_await yield();
                if (!take_more())
                    co_return why_ended_;
            }
            while (has_to_send() && outlet_->window.has_room())
                send_batch();
            let_in();
        }
        if (has_to_leave()) {
            co_await take_leave_of_peer();
            break;
        }
        if (!take(co_await self_.receive()) || !take_more())
            break;
    }
    co_return why_ended_;
}

/// Takes what waits, as many as some batches have. False when the link has ended.
bool link::take_more()
{
    for (std::size_t i = 0; i < 4 * letters_of_a_batch && self_.mailbox_size() != 0; ++i)
        if (!take(self_.try_receive()))
            return false;
    let_in();
    return true;
}

/// Has everybody on this node said so, and has all been sent that was sent before?
bool link::has_to_leave() const
{
    return left_from_.size() >= board_.shared().stations.size() && self_.mailbox_size() == 0 &&
        !has_to_send() && outside_.empty() && !bulk_.is_busy() && !is_carrying_ &&
        !taking_over_.is_under_way();
}

/// All has been sent, and has arrived when this has been answered.
task<> link::take_leave_of_peer()
{
    for (auto* const sink : {&sink_, &bulk_sink_}) {
        if (!*sink)
            continue;
        auto request = (**sink)->doneRequest();
        co_await rpc::send(request);
    }
    for (message& each : leaves_)
        each.respond(std::monostate{});
    why_ended_ = "this node leaves";
}

void link::check_output()
{
    if (connection_.unsent() > board_.answer_bytes_max() && !std::exchange(is_full_, true))
        end("it asks, and does not take the answers");
}

capnp::Capability::Client* link::service(const std::string& name)
{
    if (const auto known = services_.find(name); known != services_.end())
        return &*known->second;
    const service_factory made = board_.offered(name);
    return made ? &*services_.emplace(name, made()).first->second : nullptr;
}

std::unique_ptr<machine::direct_object> link::new_object()
{
    return std::make_unique<sink>(place_);
}

void link::has_more_room(machine::direct_outlet& on) noexcept
{
    if (!on.window.has_much_room())
        return;
    if (&on != &*outlet_) {
        if (auto waiting = kj::mv(bulk_room_); waiting.get() != nullptr)
            waiting->fulfill();
    } else if (has_to_send() || !outside_.empty() || !leaves_.empty()) {
        wake();
    }
}

void link::count_link(bool is_there) noexcept
{
    if (is_there) {
        counters_->links.fetch_add(1, std::memory_order_relaxed);
        counters_->links_now.fetch_add(1, std::memory_order_relaxed);
    } else {
        counters_->links_now.fetch_sub(1, std::memory_order_relaxed);
    }
    const std::chrono::nanoseconds now = post().home().read_wall().time_since_epoch();
    counters_->changed_at.store(now.count(), std::memory_order_relaxed);
}

void link::count_sent(std::size_t letters) noexcept
{
    board_.counters.sent.fetch_add(letters, std::memory_order_relaxed);
    counters_->sent.fetch_add(letters, std::memory_order_relaxed);
}

void link::count_received(std::size_t letters) noexcept
{
    board_.counters.received.fetch_add(letters, std::memory_order_relaxed);
    counters_->received.fetch_add(letters, std::memory_order_relaxed);
}

void link::count_bytes() noexcept
{
    const std::uint64_t in = connection_.bytes_received();
    const std::uint64_t out = connection_.bytes_written();
    counters_->bytes_received.fetch_add(in - std::exchange(counted_in_, in), std::memory_order_relaxed);
    counters_->bytes_sent.fetch_add(out - std::exchange(counted_out_, out), std::memory_order_relaxed);
}

/// Ends the link, also where it waits for its peer.
void link::end(std::string why)
{
    why_ended_ = std::move(why);
    board_.owner().stop(self_.pid());
}

task<> link::wait_for_end(context& self, rpc::nothrow<rpc::pending<kj::Promise<void>>> disconnected)
{
    std::string why = "the peer has closed the connection";
    try {
        co_await kj::mv(*disconnected);
    } catch (const rpc::error& failure) {
        why = failure.what();
    }
    self.send(self.pid(), link_ended{std::move(why)});
}

/// Finds out that a peer is gone which does not say so, and forgets those who wait no more.
task<> link::beat(context&, std::shared_ptr<link_place> place, const node_options& options)
{
    for (;;) {
        co_await sleep_for(options.heartbeat);
        if (place->there == nullptr)
            co_return;
        place->there->forget_late_ones();
        place->there->count_bytes();
        place->there->spare_body_ = {};
        const std::uint64_t before = place->there->connection_.bytes_received();
        const std::uint64_t begun = place->there->post().home().read_clock();
        auto ping = place->there->node_->pingRequest();
        bool is_there = true;
        try {
            co_await with_timeout(options.silence_max, rpc::send(ping));
        } catch (const rpc::error& failure) {
            if (failure.kind() == rpc::errc::disconnected)
                co_return;
        } catch (const error& failure) {
            if (failure.code() != errc::timed_out)
                throw;
            is_there = false;
        }
        if (place->there == nullptr)
            co_return;
        if (is_there)
            place->there->counters_->round_trip.store(
                static_cast<std::int64_t>(place->there->post().home().read_clock() - begun),
                std::memory_order_relaxed);
        else if (place->there->connection_.bytes_received() == before)
            place->there->end("nothing has come from it for too long");
    }
}

/// What has been over for a minute: an answer that still comes is for nobody.
void link::forget_late_ones()
{
    constexpr std::uint64_t grace = 60'000'000'000;
    const std::uint64_t now = post().home().now();
    erase_if(asked_, [&](auto& each) {
        if (!is_past(each.second.deadline))
            return false;
        if (!std::exchange(each.second.is_told_of, true))
            tell_of_overdue(each.second, false);
        return each.second.deadline + grace < now;
    });
    forget_owed(now, grace);
}

void link::forget_owed(std::uint64_t now, std::uint64_t grace)
{
    erase_if(owed_, [&](const auto& each) {
        if (each.second->deadline == 0 || each.second->deadline + grace >= now)
            return false;
        post().forget(each.second->token);
        return true;
    });
}

}  // namespace costar::remote
