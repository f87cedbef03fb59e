// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/block_queue.hpp>
#include <costar/ground/ring.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace costar::machine {

/// The rings from one strand to each of its siblings and back, and what found one of them full.
///
/// Thread safety: the strand's turn only.
class sibling_rings {
public:
    /// With so many slots in each ring that leads here.
    explicit sibling_rings(std::size_t slots) noexcept : slots_(slots) {}
    sibling_rings(const sibling_rings&) = delete;
    sibling_rings& operator=(const sibling_rings&) = delete;

    /// Before `connect`, of both sides.
    void resize(std::size_t siblings)
    {
        if (peers_.empty())
            peers_.resize(siblings);
    }

    /// Makes the ring that leads here from a sibling, to whom this one is number `here`.
    void connect(std::size_t sibling, sibling_rings& others, std::size_t here)
    {
        peers_[sibling].in = std::make_unique<ring>(slots_);
        others.peers_[here].out = peers_[sibling].in.get();
    }

    std::size_t size() const noexcept { return peers_.size(); }

    /// Sends to a sibling; `fill` writes the parcel where the sibling will read it. False when it found no
    /// room: it waits here then.
    template <class Fill>
    bool send_filled(std::size_t to, Fill&& fill)
    {
        peer& target = peers_[to];
        const bool has_spilled = !target.spill.empty();
        parcel* slot = has_spilled ? nullptr : target.out->reserve();
        if (slot != nullptr) [[likely]] {
            fill(*slot);
            target.out->commit();
            return true;
        }
        fill(target.spill.reserve());
        target.spill.commit();
        spilling_ += has_spilled ? 0 : 1;
        return false;
    }

    /// How many parcels to a sibling found no room, in all.
    std::uint64_t spilled(std::size_t to) const noexcept { return peers_[to].spill.pushed(); }

    /// Publishes what was sent, and sends what has found room. `wake` is called with each sibling that has
    /// something to take; `has_moved` before that with one whose ring has taken of what waits here, and how
    /// many it has taken, in all.
    template <class Moved, class Wake>
    void publish(Moved&& has_moved, Wake&& wake)
    {
        for (std::size_t i = 0; i < peers_.size(); ++i) {
            peer& target = peers_[i];
            if (target.out == nullptr)
                continue;
            if (!target.spill.empty()) {
                move_spill(target);
                spilling_ -= target.spill.empty() ? 1 : 0;
                has_moved(i, target.spill.popped());
            }
            if (target.out->publish())
                wake(i);
        }
    }

    /// Looks how far each ring is filled.
    void look() noexcept
    {
        for (peer& other : peers_)
            if (other.in != nullptr)
                has_arrived_ |= other.in->snapshot() != 0;
    }

    /// Something that was looked at waits.
    bool has_arrived() const noexcept { return has_arrived_; }

    /// Something may wait, looked at or not.
    bool has_input() const noexcept
    {
        for (const peer& other : peers_)
            if (other.in != nullptr && !other.in->empty_hint())
                return true;
        return false;
    }

    /// Something of what waits here may have found room.
    bool has_room() const noexcept
    {
        if (spilling_ == 0) [[likely]]
            return false;
        for (const peer& other : peers_)
            if (!other.spill.empty() && !other.out->full())
                return true;
        return false;
    }

    /// For those who look again and again.
    void prefetch() const noexcept
    {
        for (const peer& other : peers_)
            if (other.in != nullptr)
                other.in->prefetch();
    }

    /// Calls `take` with each ring. It answers how many parcels it took, and sets its second parameter where
    /// it has left some. `wake` is called with a sibling that may sleep until there is room.
    ///
    /// Order: each call begins with another ring, so that the last one gets what room there is as often as
    /// the first.
    template <class Take, class Wake>
    void take_in_order(Take&& take, Wake&& wake)
    {
        has_arrived_ = false;
        const std::size_t count = peers_.size();
        bool is_first = true;
        for (std::size_t i = 0, at = first_; i < count; ++i, ++at) {
            if (at >= count)
                at = 0;
            peer& other = peers_[at];
            if (other.in == nullptr)
                continue;
            const std::size_t taken = take(*other.in, has_arrived_);
            if (taken == 0)
                continue;
            if (std::exchange(is_first, false))
                first_ = at + 1;
            other.taken += taken;
            if (other.taken >= slots_ / 4) {
                other.taken = 0;
                wake(at);
            }
        }
    }

    /// Calls `visit` as `ring::visit_waiting` does.
    template <class Visitor>
    void visit_waiting(Visitor&& visit)
    {
        for (peer& other : peers_)
            if (other.in != nullptr)
                other.in->visit_waiting(visit);
    }

    /// Passes all that waits to `discard`: what found no room, and what was sent here. After the last turn of
    /// all siblings.
    template <class Discard>
    void end(Discard&& discard)
    {
        for (peer& other : peers_) {
            while (!other.spill.empty()) {
                parcel copy = other.spill.front();
                other.spill.pop();
                discard(copy);
            }
            if (other.in == nullptr)
                continue;
            other.in->publish();  // the producer has ended, perhaps in the middle of a turn
            other.in->snapshot();
            while (parcel* left = other.in->front()) {
                parcel copy = *left;
                other.in->pop();
                discard(copy);
            }
        }
    }

private:
    struct peer {
        ring* out = nullptr;  // to the peer; the peer's `in` is the same
        std::unique_ptr<ring> in;
        block_queue<parcel> spill;  // what found `out` full
        std::size_t taken = 0;      // from `in` since the peer was last told
    };

    static void move_spill(peer& target)
    {
        while (!target.spill.empty() && target.out->push(target.spill.front()))
            target.spill.pop();
    }

    std::vector<peer> peers_;
    std::size_t slots_;
    std::size_t first_ = 0;     // where the next taking begins
    std::size_t spilling_ = 0;  // peers for whom something waits here
    bool has_arrived_ = false;
};

}  // namespace costar::machine
