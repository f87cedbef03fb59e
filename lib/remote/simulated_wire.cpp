// SPDX-License-Identifier: MIT

#include "simulated_wire.hpp"

#include "simulated_hub.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include <algorithm>
#include <utility>

namespace costar::remote {

simulated_wire::simulated_wire(
    simulated_hub& hub, std::string dialler, std::string acceptor, std::size_t cut_after)
    : hub_(hub), hosts_{std::move(dialler), std::move(acceptor)}, cut_after_(cut_after)
{}

/// Bytes on one connection do not overtake each other.
simulated_wire::time simulated_wire::arrival(int to, std::size_t bytes)
{
    if (hub_.is_silent(hosts_[1 - to], hosts_[to]))
        return never;
    time& busy_until = lines_[to].busy_until;
    busy_until = std::max(busy_until, hub_.now()) + hub_.time_for(bytes);
    const time earliest = busy_until + hub_.latency();
    const auto& before = lines_[to].under_way;
    return before.empty() ? earliest : std::max(earliest, before.back().arrives);
}

void simulated_wire::append(int to, std::vector<char> bytes)
{
    if (is_lost_) {
        // A host that has begun anew knows nothing of the connection, and says so.
        if (hub_.is_up(hosts_[to]))
            tell_of_cut(1 - to);
        return;
    }
    if (is_closed_[to]) {
        tell_of_cut(1 - to);
        return;
    }
    const time arrives = arrival(to, bytes.size());
    lines_[to].under_way.push_back({arrives, std::move(bytes)});
}

void simulated_wire::tell_of_cut(int side)
{
    line& told = to(side);
    if (told.breaks != never || hub_.is_silent(hosts_[1 - side], hosts_[side]))
        return;
    told.breaks = hub_.now() + hub_.latency();
    if (hub_.happens_once_in(2))
        told.under_way.clear();  // what nobody had read when a connection is reset is gone
}

void simulated_wire::read(int side, rpc::asio::mutable_buffer into, rpc::byte_stream::handler done)
{
    line& mine = to(side);
    mine.into = into;
    mine.reader = std::move(done);
    if (next_of(mine) <= hub_.now())
        deliver(mine);
}

std::size_t simulated_wire::write(int side, rpc::asio::const_buffer bytes, costar::error_code& failed)
{
    if (to(side).breaks <= hub_.now()) {
        failed = rpc::asio::error::broken_pipe;
        return 0;
    }
    const auto* const first = static_cast<const char*>(bytes.data());
    const std::size_t goes = std::min(bytes.size(), cut_after_ - std::min(carried_, cut_after_));
    carried_ += bytes.size();
    hub_.seen.bytes += goes;
    constexpr std::size_t packet = 16 * 1024;
    for (std::size_t at = 0; at < goes; at += packet)
        append(1 - side, std::vector<char>(first + at, first + std::min(goes, at + packet)));
    if (carried_ >= cut_after_)
        reset();
    return bytes.size();
}

void simulated_wire::shutdown(int side)
{
    if (!std::exchange(from(side).is_over, true))
        append(1 - side, {});
}

void simulated_wire::close(int side)
{
    to(side).reader = nullptr;
    to(side).under_way.clear();
    if (!std::exchange(is_closed_[side], true))
        shutdown(side);
}

simulated_wire::time simulated_wire::next_of(const line& where) noexcept
{
    if (where.reader == nullptr)
        return never;
    return where.under_way.empty() ? where.breaks : where.under_way.front().arrives;
}

simulated_wire::time simulated_wire::next() const noexcept
{
    return std::min(next_of(lines_[0]), next_of(lines_[1]));
}

void simulated_wire::happen()
{
    const bool first = next_of(lines_[0]) <= hub_.now();
    const bool second = next_of(lines_[1]) <= hub_.now();
    deliver(lines_[first && second ? hub_.draw() % 2 : (first ? 0 : 1)]);
}

/// Gives whoever reads what has arrived, in pieces now and then.
void simulated_wire::deliver(line& where)
{
    const auto reader = std::exchange(where.reader, nullptr);
    if (where.under_way.empty()) {
        reader(rpc::asio::error::connection_reset, 0);
        return;
    }
    if (where.under_way.front().bytes.empty()) {
        reader(rpc::asio::error::eof, 0);  // and again, to whoever asks
        return;
    }
    std::size_t wanted = where.into.size();
    if (hub_.happens_once_in(4))
        wanted = std::min<std::size_t>(wanted, 1 + hub_.draw() % 512);
    std::size_t given = 0;
    while (given < wanted && !where.under_way.empty() && where.under_way.front().arrives <= hub_.now()) {
        parcel& front = where.under_way.front();
        if (front.bytes.empty())
            break;
        const std::size_t copied = rpc::asio::buffer_copy(
            where.into + given, rpc::asio::buffer(front.bytes) + front.taken, wanted - given);
        given += copied;
        front.taken += copied;
        if (front.taken == front.bytes.size())
            where.under_way.pop_front();
    }
    reader({}, given);
}

void simulated_wire::heal()
{
    for (const int side : {0, 1}) {
        if (is_lost_ || hub_.is_silent(hosts_[1 - side], hosts_[side]))
            continue;
        time earliest = hub_.now() + hub_.latency();
        for (parcel& each : lines_[side].under_way)
            each.arrives = earliest = each.arrives == never ? earliest : std::max(earliest, each.arrives);
    }
}

void simulated_wire::reset()
{
    ++hub_.seen.reset;
    for (const int side : {0, 1})
        tell_of_cut(side);
}

void simulated_wire::lose(const std::string& host)
{
    for (const int side : {0, 1})
        if (hosts_[side] == host) {
            is_lost_ = true;
            // Bytes that had left it arrive; those to it do not.
            to(side).under_way.clear();
            is_closed_[side] = true;
        }
}

}  // namespace costar::remote
