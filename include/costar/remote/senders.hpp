// SPDX-License-Identifier: MIT

#pragma once

#include <costar/remote/peers.hpp>
#include <costar/wire/codec.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace costar::machine {

/// Types of messages that one peer may send, by the ids of their schemas: all but some, or some alone.
///
/// Thread safety: a value; any thread.
class permitted_types {
public:
    /// All.
    permitted_types() noexcept = default;

    /// All or none but those, which are in order.
    permitted_types(bool are_others, std::vector<std::uint64_t> exceptions) noexcept
        : are_others_(are_others), exceptions_(std::move(exceptions))
    {}

    bool contains(std::uint64_t type) const noexcept
    {
        return exceptions_.empty()
            ? are_others_
            : are_others_ != std::binary_search(exceptions_.begin(), exceptions_.end(), type);
    }

private:
    bool are_others_ = true;
    std::vector<std::uint64_t> exceptions_;
};

}  // namespace costar::machine

namespace costar::remote {

/// Messages, and the peers that may send each: all peers may send what is not named here, unless `others`
/// says who.
///
///     remote::senders allowed;
///     allowed.add<close_books>(remote::peers{"ledger"}).add<hello>(remote::anyone);
///     allowed.others(remote::peers{"admin"});
///     remote::node node(engine, words, {.listen = "127.0.0.1:0", .sent_by = allowed});
///
/// Thread safety: filled by one thread, then read by any. Lifetime: a value.
class senders {
public:
    /// Those may send these messages, and nobody else. What is added again has the last word.
    template <wire::mapped... Messages>
    senders& add(const peers& who)
    {
        (enter(wire::schema_id<Messages>(), who), ...);
        return *this;
    }

    /// Those may send all other messages.
    senders& others(peers who)
    {
        others_ = std::move(who);
        return *this;
    }

    /// What somebody may send who has all of these names; without one he is none of those that are named.
    machine::permitted_types permit(std::span<const std::string> names) const;

private:
    void enter(std::uint64_t type, const peers& who);

    std::map<std::uint64_t, peers> listed_;
    peers others_ = true;
};

}  // namespace costar::remote
