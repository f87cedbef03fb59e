// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace costar::testing {

/// Requests of several clients and what they were answered with, in the order in which they began and ended.
///
/// `Call` is what was asked, `Reply` what came back. A request without an answer, because its deadline passed
/// or its server crashed, may have taken effect at any later time, or never.
///
/// Thread safety: one thread, as a simulation is.
template <class Call, class Reply>
class history {
public:
    struct record {
        Call call;
        std::optional<Reply> reply;
        std::uint64_t began;
        std::uint64_t ended;
    };

    /// A request begins; gives the number under which it ends.
    std::size_t begin(Call call)
    {
        records_.push_back({std::move(call), std::nullopt, ++time_, UINT64_MAX});
        return records_.size() - 1;
    }

    /// It was answered.
    void end(std::size_t number, Reply reply)
    {
        records_[number].reply = std::move(reply);
        records_[number].ended = ++time_;
    }

    const std::vector<record>& records() const noexcept { return records_; }

private:
    std::vector<record> records_;
    std::uint64_t time_ = 0;
};

/// Could one server, handling one request after the other, have given these answers? Each request must take
/// effect at one moment between its beginning and its end.
///
/// `step(state, call)` applies a request to a state and gives its answer; `State` needs `<`, as the search
/// remembers where it has been, `Reply` needs `==`. After Wing and Gong, Testing and Verifying Concurrent
/// Objects (1993), with the memory that Lowe added in Testing for Linearizability (2017). Cost: exponential
/// in the number of requests under way at the same time, at worst.
template <class Call, class Reply, class State, class Step>
bool is_linearizable(const history<Call, Reply>& all, State initial, Step&& step)
{
    using record = typename history<Call, Reply>::record;
    const std::vector<record>& records = all.records();

    struct choice {
        std::size_t taken;  // the request that was put next
        State before;
    };
    std::vector<bool> done(records.size(), false);
    std::vector<choice> path;
    std::set<std::pair<std::vector<bool>, State>> seen;
    State state = std::move(initial);
    std::size_t next = 0;  // the first candidate not tried yet

    const auto is_complete = [&] {
        for (std::size_t i = 0; i < records.size(); ++i)
            if (!done[i] && records[i].reply)
                return false;
        return true;
    };
    // Only what began before all others ended may come next.
    const auto earliest_end = [&] {
        std::uint64_t earliest = UINT64_MAX;
        for (std::size_t i = 0; i < records.size(); ++i)
            if (!done[i] && records[i].ended < earliest)
                earliest = records[i].ended;
        return earliest;
    };

    for (;;) {
        if (is_complete())
            return true;
        const std::uint64_t limit = earliest_end();
        bool advanced = false;
        for (; next < records.size(); ++next) {
            if (done[next] || records[next].began > limit)
                continue;
            State after = state;
            const Reply given = step(after, records[next].call);
            if (records[next].reply && !(given == *records[next].reply))
                continue;
            done[next] = true;
            if (!seen.emplace(done, after).second) {
                done[next] = false;
                continue;
            }
            path.push_back({next, std::exchange(state, std::move(after))});
            next = 0;
            advanced = true;
            break;
        }
        if (advanced)
            continue;
        if (path.empty())
            return false;
        done[path.back().taken] = false;
        state = std::move(path.back().before);
        next = path.back().taken + 1;
        path.pop_back();
    }
}

}  // namespace costar::testing
