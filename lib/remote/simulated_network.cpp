// SPDX-License-Identifier: MIT

#include <costar/remote/simulated_network.hpp>

#include "address.hpp"
#include "simulated_hub.hpp"

#include <costar/core/strand.hpp>
#include <costar/core/timer.hpp>
#include <costar/core/use_task.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <stdexcept>
#include <utility>

namespace costar::remote {

using namespace std::chrono_literals;

simulated_hub::simulated_hub(testing::simulation& sim, simulated_network_options options)
    : sim_(sim), options_(options)
{
    if (options_.latency_min.count() < 0 || options_.latency_max < options_.latency_min)
        throw std::invalid_argument("the latency of a network lies between two times, none below zero");
    sim_.add(*this);
}

simulated_hub::~simulated_hub()
{
    sim_.forget(*this);
}

std::chrono::nanoseconds simulated_hub::next() const noexcept
{
    auto first = simulated_wire::never;
    for (const auto& each : wires)
        first = std::min(first, each->next());
    return first;
}

void simulated_hub::happen()
{
    std::erase_if(wires, [](const auto& each) { return each.use_count() == 1; });
    std::vector<simulated_wire*> due;
    for (const auto& each : wires)
        if (each->next() <= now())
            due.push_back(each.get());
    if (!due.empty())
        due[sim_.random().below(due.size())]->happen();
}

std::chrono::nanoseconds simulated_hub::latency()
{
    const auto span = static_cast<std::uint64_t>((options_.latency_max - options_.latency_min).count());
    return options_.latency_min + std::chrono::nanoseconds(sim_.random().below(span + 1));
}

std::chrono::nanoseconds simulated_hub::time_for(std::size_t bytes) const noexcept
{
    if (options_.bytes_per_second == 0)
        return {};
    return std::chrono::nanoseconds(bytes * 1'000'000'000 / options_.bytes_per_second);
}

bool simulated_hub::is_silent(const std::string& from, const std::string& to) const
{
    return !silent.empty() && silent.contains({from, to});
}

bool simulated_hub::is_up(const std::string& host) const
{
    const auto found = doors.lower_bound(host + ":");
    return found != doors.end() && found->first.starts_with(host + ":");
}

std::shared_ptr<simulated_wire> simulated_hub::connect(const std::string& from, const std::string& to)
{
    std::size_t cut_after = std::numeric_limits<std::size_t>::max();
    if (!cuts.empty()) {
        cut_after = cuts.front();
        cuts.pop_front();
    }
    ++seen.connected;
    return wires.emplace_back(std::make_shared<simulated_wire>(*this, from, to, cut_after));
}

namespace {

class simulated_connection final : public new_connection {
public:
    simulated_connection(std::shared_ptr<simulated_wire> wire, int side, asio::any_io_executor strand)
        : peer_(wire->host(1 - side)),
          bytes_(std::make_unique<wire_end>(std::move(wire), side, std::move(strand)))
    {}

    task<> open() override { co_return; }
    kj::Own<capnp::MessageStream> stream() override { return rpc::make_stream(std::move(bytes_)); }
    std::string peer() const override { return peer_; }

private:
    const std::string peer_;
    std::unique_ptr<wire_end> bytes_;
};

/// Wakes whoever waits on a strand.
class doorbell {
public:
    template <class Token>
    auto async_wait(Token&& token)
    {
        return asio::async_initiate<Token, void(boost::system::error_code)>(
            [this](auto handler) {
                auto held = std::make_shared<decltype(handler)>(std::move(handler));
                if (auto slot = asio::get_associated_cancellation_slot(*held); slot.is_connected())
                    slot.assign([this](asio::cancellation_type) { ring(asio::error::operation_aborted); });
                waiter_ = [held](boost::system::error_code code) {
                    asio::post(
                        asio::get_associated_executor(*held), [held, code] { std::move (*held)(code); });
                };
            },
            token);
    }

    void ring(boost::system::error_code code = {})
    {
        if (const auto waiter = std::exchange(waiter_, nullptr))
            waiter(code);
    }

private:
    std::function<void(boost::system::error_code)> waiter_;
};

}  // namespace

/// Where the connections to an address wait until they are taken.
class simulated_door final : public acceptor {
public:
    simulated_door(std::shared_ptr<simulated_hub> hub, std::string address)
        : hub_(std::move(hub)), address_(std::move(address))
    {
        if (!hub_->doors.emplace(address_, this).second)
            throw boost::system::system_error(asio::error::address_in_use);
    }
    ~simulated_door() override { close(); }

    std::string address() const override { return address_; }
    bool is_wildcard() const override { return false; }

    task<std::unique_ptr<new_connection>> accept(asio::any_io_executor strand) override
    {
        while (waiting_.empty())
            co_await bell_.async_wait(use_task);
        auto taken = std::make_unique<simulated_connection>(waiting_.front(), 1, strand);
        waiting_.pop_front();
        co_return taken;
    }

    void close() noexcept override
    {
        if (std::exchange(is_closed_, true))
            return;
        hub_->doors.erase(address_);
        for (const auto& each : waiting_)
            each->close(1);
        waiting_.clear();
    }

    void arrive(std::shared_ptr<simulated_wire> wire)
    {
        waiting_.push_back(std::move(wire));
        bell_.ring();
    }

private:
    std::shared_ptr<simulated_hub> hub_;
    const std::string address_;
    std::deque<std::shared_ptr<simulated_wire>> waiting_;
    doorbell bell_;
    bool is_closed_ = false;
};

namespace {

class simulated_host final : public transport {
public:
    simulated_host(std::shared_ptr<simulated_hub> hub, std::string name)
        : hub_(std::move(hub)), name_(std::move(name))
    {}

    std::unique_ptr<acceptor> listen(const std::string& address, asio::any_io_executor) override
    {
        auto [host, port] = parse_address(address);
        if (host != name_)
            throw std::invalid_argument(fmt::format("{} is no address of host {}", address, name_));
        const unsigned chosen = port != 0 ? port : ++hub_->last_port;
        return std::make_unique<simulated_door>(hub_, fmt::format("{}:{}", host, chosen));
    }

    task<std::unique_ptr<new_connection>> dial(std::string address) override
    {
        const std::string to = parse_address(address).host;
        const under_way mark(*hub_, {name_, to});
        co_await sleep_for(hub_->latency());
        while (hub_->is_silent(name_, to) || hub_->is_silent(to, name_))
            co_await sleep_for(1s);  // and once more
        co_await sleep_for(hub_->latency());
        const auto door = hub_->doors.find(address);
        if (door == hub_->doors.end())
            throw boost::system::system_error(asio::error::connection_refused);
        auto wire = hub_->connect(name_, to);
        door->second->arrive(wire);
        co_return std::make_unique<simulated_connection>(
            std::move(wire), 0, machine::strand_context::current()->get_executor());
    }

    std::uint64_t draw() override { return hub_->draw(); }

private:
    class under_way {
    public:
        under_way(simulated_hub& hub, simulated_hub::pair who) : hub_(hub), who_(std::move(who))
        {
            ++hub_.seen.dialled;
            if (hub_.dialling.contains({who_.second, who_.first}))
                ++hub_.seen.crossed;
            hub_.dialling.insert(who_);
        }
        under_way(const under_way&) = delete;
        under_way& operator=(const under_way&) = delete;
        ~under_way() { hub_.dialling.extract(who_); }

    private:
        simulated_hub& hub_;
        simulated_hub::pair who_;
    };

    std::shared_ptr<simulated_hub> hub_;
    const std::string name_;
};

/// Does it connect these two?
bool joins(const simulated_wire& wire, const std::string& one, const std::string& other)
{
    return (wire.host(0) == one && wire.host(1) == other) || (wire.host(0) == other && wire.host(1) == one);
}

}  // namespace

simulated_network::simulated_network(testing::simulation& sim, simulated_network_options options)
    : hub_(std::make_shared<simulated_hub>(sim, options))
{}

simulated_network::~simulated_network() = default;

std::shared_ptr<transport> simulated_network::host(std::string name)
{
    return std::make_shared<simulated_host>(hub_, std::move(name));
}

void simulated_network::silence(const std::string& from, const std::string& to)
{
    hub_->silent.insert({from, to});
}

void simulated_network::partition(const std::string& one, const std::string& other)
{
    silence(one, other);
    silence(other, one);
}

void simulated_network::heal()
{
    hub_->silent.clear();
    hub_->cuts.clear();
    for (const auto& each : hub_->wires)
        each->heal();
}

void simulated_network::reset(const std::string& one, const std::string& other)
{
    for (const auto& each : hub_->wires)
        if (joins(*each, one, other))
            each->reset();
}

void simulated_network::crash(const std::string& host)
{
    for (const auto& each : hub_->wires)
        each->lose(host);
}

void simulated_network::reset_after(std::size_t bytes)
{
    hub_->cuts.push_back(bytes);
}

const simulated_network::figures& simulated_network::seen() const noexcept
{
    return hub_->seen;
}

std::size_t simulated_network::connections() const noexcept
{
    return static_cast<std::size_t>(std::count_if(
        hub_->wires.begin(), hub_->wires.end(), [](const auto& each) { return each.use_count() > 1; }));
}

}  // namespace costar::remote
