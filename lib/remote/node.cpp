// SPDX-License-Identifier: MIT

#include <costar/remote/node.hpp>

#include "address.hpp"
#include "connecting.hpp"
#include "greeting.hpp"
#include "switchboard.hpp"

#include <costar/core/log.hpp>
#include <costar/core/result.hpp>
#include <costar/core/with_timeout.hpp>
#include <costar/remote/transport.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <vector>

namespace costar::remote {

namespace {

/// With such options a node would start and reach nobody.
void check(const node_options& options)
{
    const auto refuse = [](const char* what) {
        throw std::invalid_argument(fmt::format("remote::node_options::{} must be more than 0", what));
    };
    if (!is_name(options.name) || (!options.name.empty() && !is_name_for_texts(options.name)))
        throw std::invalid_argument(
            "remote::node_options::name must have at most 255 bytes, no '/' and no control characters, and "
            "be no address: others would not let this node in, or not find its actors by it");
    if (options.message_max == 0)
        refuse("message_max");
    if (options.queue_max == 0)
        refuse("queue_max");
    if (options.queue_bytes_max == 0)
        refuse("queue_bytes_max");
    if (options.lives_max == 0)
        refuse("lives_max");
    if (options.connections_max == 0)
        refuse("connections_max");
    if (options.greeting_timeout <= std::chrono::nanoseconds(0))
        refuse("greeting_timeout");
    if (options.heartbeat <= std::chrono::nanoseconds(0))
        refuse("heartbeat");
    if (options.silence_max <= std::chrono::nanoseconds(0))
        refuse("silence_max");
    if (options.pause_min <= std::chrono::nanoseconds(0))
        refuse("pause_min");
    if (options.pause_min > options.pause_max)
        throw std::invalid_argument("remote::node_options::pause_min must not be more than pause_max");
}

/// Others dial it: none of all addresses of a machine, and no port that the system is to pick.
void check_advertised(const std::string& address)
{
    check_address(address);
    if (is_unix_address(address))
        return;
    const auto [host, port] = parse_address(address);
    if (port == 0 || host == "0.0.0.0" || host == "::" || host == "*")
        throw std::invalid_argument(fmt::format("nobody can dial {}, which is advertised", address));
}

}  // namespace

node::node(engine& owner, wire::dictionary words, node_options options) : owner_(owner)
{
    check(options);
    if (options.network == nullptr)
        options.network = tcp_transport();
    std::unique_ptr<acceptor> door;
    std::string address = options.advertised;
    if (!address.empty())
        check_advertised(address);
    if (!options.listen.empty()) {
        door = options.network->listen(options.listen, owner.get_executor(0));
        if (address.empty() && door->is_wildcard())
            throw std::invalid_argument(fmt::format(
                "nobody can dial {}: say by `advertised` where others find this node", options.listen));
        if (address.empty())
            address = door->address();
        if (door->is_exposed())
            log(log_level::warning,
                fmt::format(
                    "the node at {} lets in whoever reaches it: give it a network by `tls_transport`, "
                    "or have it listen on 127.0.0.1",
                    door->address()));
    }
    board_ = std::make_shared<switchboard>(owner, std::move(words), std::move(options), std::move(address));
    machine::gateway* none = nullptr;
    if (!owner.station_at(0).shared().way_out.compare_exchange_strong(none, board_.get()))
        throw std::logic_error("this engine is a node already");
    owner.extensions().emplace<std::shared_ptr<switchboard>>(board_);
    if (door != nullptr)
        listener_ = spawn_listener(*board_, std::move(door));
    if (board_->network().look_interval().count() > 0)
        caretaker_ = spawn_caretaker(*board_);
}

node::~node()
{
    board_->close();
    owner_.stop(listener_);
    owner_.stop(caretaker_);
    for (const pid link : board_->book().links())
        owner_.stop(link);
}

std::string node::address() const
{
    return board_->address();
}

const node_counters& node::counters() const noexcept
{
    return board_->counters;
}

std::vector<peer_figures> node::peers() const
{
    return board_->book().figures();
}

void node::offer(std::string name, service_factory made)
{
    board_->offer(std::move(name), std::move(made));
}

namespace {

/// Said behind what somebody has sent to a strand before.
struct all_is_sent {};

/// Ends when that strand has taken it.
task<> witness(context& self)
{
    message said = co_await self.receive<all_is_sent>();
    said.mark_handled();
}

/// One for each link on each strand, behind what that strand has sent.
task<> leave_from_strand(context& self, pid link, std::chrono::nanoseconds until)
{
    static_cast<void>(co_await as_result(
        self.ask(link, take_leave{}, std::max(until - self.now(), std::chrono::nanoseconds(0)))));
}

task<> leave_all(
    context& self, switchboard* board, std::chrono::nanoseconds deadline, std::vector<pid> witnesses)
{
    const std::chrono::nanoseconds end = self.now() + deadline;
    for (const pid each : witnesses)
        static_cast<void>(co_await as_result(
            with_timeout(std::max(end - self.now(), std::chrono::nanoseconds(1)), self.wait(each))));
    const auto links = board->book().links();
    spawn_options options;
    options.placement = placement::chosen;
    for (; options.strand < board->shared().stations.size(); ++options.strand)
        for (const pid link : links)
            self.spawn(options, leave_from_strand, link, end);
    for (const pid each : self.children())
        co_await self.wait(each);
    for (const pid link : links)
        co_await self.stop(link);
}

}  // namespace

pid node::spawn_leaving(std::chrono::nanoseconds deadline)
{
    if (listener_)
        owner_.send(listener_, stop_accepting{});
    try {
        // What its caller has sent may still be on its way to a strand.
        std::vector<pid> witnesses;
        spawn_options options;
        options.placement = placement::chosen;
        for (; options.strand < board_->shared().stations.size(); ++options.strand)
            witnesses.push_back(owner_.spawn(options, witness));
        for (const pid each : witnesses)
            owner_.send(each, all_is_sent{});
        return owner_.spawn(leave_all, board_.get(), deadline, std::move(witnesses));
    } catch (const error& failure) {
        if (failure.code() != errc::engine_stopped)
            throw;
        return {};
    }
}

std::chrono::nanoseconds node::timeout_of(const newcomer& what) const
{
    return what.timeout.value_or(board_->shared().ask_timeout);
}

void node::offer_kind(const std::string& name, const remote::kinds& one)
{
    board_->residents().offer(name, one.find(name));
}

pid node::link_at(const std::string& address)
{
    check_address(address);
    return board_->node_at(destination(address));
}

}  // namespace costar::remote
