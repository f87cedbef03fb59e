// SPDX-License-Identifier: MIT

#include "losses.hpp"

#include "address.hpp"

#include <costar/core/error.hpp>
#include <costar/core/log.hpp>

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace costar::remote {

namespace {

/// What is alike where somebody knocks again and again: a peer that dials has another port each time.
std::string without_port(const std::string& name, const std::string& address, std::string why)
{
    if (const std::size_t at = why.find(address); at != std::string::npos)
        why.erase(at, address.size());
    const std::size_t end = is_unix_address(address) ? address.find(' ') : address.rfind(':');
    return fmt::format("{} {} {}", address.substr(0, end), name, why);
}

}  // namespace

void tell_of_loss(context& self, switchboard& board, const std::string& name, const std::string& address,
    const std::string& why, bool was_there)
{
    std::string line = fmt::format("{}node {}{}at {}: {}",
        was_there ? "the link has ended to " : "no link to ", name, name.empty() ? "" : " ", address, why);
    if (was_there)
        log(log_level::info, line);
    else
        board.refusals().write(log_level::info, static_cast<std::uint64_t>(self.now().count()),
            without_port(name, address, why), std::move(line));
    board.shared().events.publish(peer_lost{name, address, why});
}

void tell_of_refusal(
    switchboard& board, const link_place& place, const std::string& address, const std::string& why)
{
    board.shared().events.publish(peer_refused{place.peer_name, address, why, place.refused, place.by_peer});
}

void tell_of_failure(
    context& self, switchboard& board, const std::string& address, const std::exception_ptr& failed)
{
    const std::string why = machine::text_of(failed);
    try {
        std::rethrow_exception(failed);
    } catch (const not_trusted& refused) {
        link_place place;
        place.by_peer = refused.by_peer();
        place.refused = refusal::not_trusted;
        tell_of_refusal(board, place, address, why);
    } catch (...) {
        // Nobody was refused.
    }
    tell_of_loss(self, board, {}, address, why, false);
}

}  // namespace costar::remote
