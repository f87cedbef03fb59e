// SPDX-License-Identifier: MIT

#pragma once

#include <costar/post/pid.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <functional>
#include <vector>

namespace costar::remote {

/// The pids of a batch, each once, and their places in it from 1; 0 is nobody's.
class pid_places {
public:
    std::uint32_t of_target(pid who) { return of(who, target_); }
    std::uint32_t of_sender(pid who) { return of(who, sender_); }

    const std::vector<pid>& all() const noexcept { return pids_; }

    void clear() noexcept
    {
        target_ = sender_ = {};
        pids_.clear();
        places_.clear();
    }

private:
    /// Most messages of a batch are from the sender of the one before, or to its target.
    struct last {
        pid who;
        std::uint32_t place = 0;
    };

    std::uint32_t of(pid who, last& former)
    {
        if (who == former.who)
            return former.place;
        if (!who)
            return 0;
        const auto [found, is_new] = places_.try_emplace(who, static_cast<std::uint32_t>(pids_.size() + 1));
        if (is_new)
            pids_.push_back(who);
        former = {who, found->second};
        return found->second;
    }

    last target_;
    last sender_;
    std::vector<pid> pids_;
    boost::unordered_flat_map<pid, std::uint32_t, std::hash<pid>> places_;
};

}  // namespace costar::remote
