// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/post/envelope.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace costar::machine {

/// Whoever waits for an answer; called once, on the strand where it asked for the token.
class reply_waiter {
public:
    using function = void (*)(
        reply_waiter& self, const message_type* type, void* value, errc failure) noexcept;

    explicit reply_waiter(function take) noexcept : take_(take) {}

    void take(const message_type* type, void* value) noexcept { take_(*this, type, value, errc{}); }
    void fail(errc reason) noexcept { take_(*this, nullptr, nullptr, reason); }

private:
    function take_;
};

/// Who waits on one strand for answers, and under which tokens.
///
/// A token names the strand, a place and how often that place has been used, so an answer that comes late, or
/// twice, finds nobody. It is never 0, and has a bit that the key of no actor has. There is room for 4096
/// strands, 16 million waits on each, and 134 million uses of a place.
///
/// Used inside the strand's turn only, `strand_of` and `is_token` from any thread.
class reply_table {
public:
    explicit reply_table(std::uint16_t strand) noexcept
        : common_(flag | std::uint64_t{strand} << (slot_bits + generation_bits))
    {}

    /// Is what a parcel is addressed to a token, and no actor?
    static bool is_token(std::uint64_t to) noexcept { return (to & flag) != 0; }

    /// A token of no strand's, for what nobody waits for.
    static constexpr std::uint64_t nobodys = std::uint64_t{1} << 63 | std::uint64_t{(1U << 24) - 1} << 27;

    static std::uint32_t strand_of(std::uint64_t token) noexcept
    {
        return static_cast<std::uint32_t>((token & ~flag) >> (generation_bits + slot_bits));
    }

    /// Was the token given here?
    bool is_own(std::uint64_t token) const noexcept
    {
        return (token ^ common_) >> (generation_bits + slot_bits) == 0;
    }

    /// A token under which `waiter` is answered once.
    std::uint64_t expect(reply_waiter& waiter)
    {
        const std::uint32_t slot = free_;
        if (slot == none) [[unlikely]]
            return expect_in_new_place(waiter);
        entry& taken = entries_[slot];
        free_ = taken.next_free;
        taken.waiter = &waiter;
        return common_ | std::uint64_t{slot} << generation_bits | taken.generation;
    }

    /// Takes out who waits under a token of this table; null when it is used up.
    reply_waiter* claim(std::uint64_t token) noexcept
    {
        constexpr std::uint32_t generation_mask = (1U << generation_bits) - 1;
        constexpr std::uint32_t slot_mask = (1U << slot_bits) - 1;
        const auto slot = static_cast<std::uint32_t>(token >> generation_bits) & slot_mask;
        const auto generation = static_cast<std::uint32_t>(token) & generation_mask;
        if (slot >= entries_.size() || entries_[slot].generation != generation) [[unlikely]]
            return nullptr;
        entry& found = entries_[slot];
        found.generation = (generation + 1) & generation_mask;
        found.next_free = free_;
        free_ = slot;
        return std::exchange(found.waiter, nullptr);
    }

private:
    struct entry {
        reply_waiter* waiter = nullptr;
        std::uint32_t generation = 1;
        std::uint32_t next_free = 0;
    };

    static constexpr std::uint32_t none = UINT32_MAX;
    static constexpr std::uint64_t flag = std::uint64_t{1} << 63;
    static constexpr unsigned generation_bits = 27;
    static constexpr unsigned slot_bits = 24;

    std::uint64_t expect_in_new_place(reply_waiter& waiter);

    const std::uint64_t common_;  // to all tokens of this strand
    std::vector<entry> entries_;
    std::uint32_t free_ = none;
};

}  // namespace costar::machine
