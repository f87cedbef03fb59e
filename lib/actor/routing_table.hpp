// SPDX-License-Identifier: MIT

// What the actor of a router knows, and what it does with messages.
#pragma once

#include <costar/actor/context.hpp>
#include <costar/actor/engine.hpp>
#include <costar/actor/router.hpp>
#include <costar/core/log.hpp>
#include <costar/ground/consistent_hash.hpp>
#include <costar/ground/ordered_set.hpp>
#include <costar/kernel/extras.hpp>
#include <costar/post/outgoing.hpp>

#include "in_flight.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace costar::machine {

/// A message that is on its way through, with its headers if it has some.
struct passing {
    held_envelope sent;
    std::unique_ptr<headers> with;
};

/// Ends a routee that could not be entered.
struct leaving {
    void operator()(routee* left) const noexcept { left->leave(); }
};

/// What a router knows, and what it does with a message.
class routing_table {
public:
    routing_table(context& self, router_setup setup)
        : self_(self),
          post_(self.engine().station_at(self.pid().strand())),
          cell_(*post_.find(self.pid())),
          setup_(std::move(setup)),
          random_(setup_.options.strategy != routing::random ? 0
                  : setup_.options.seed                      ? *setup_.options.seed
                                                             : post_.home().random().next()),
          counts_(setup_.options.strategy == routing::least_loaded ||
              (setup_.options.strategy == routing::consistent_hash && setup_.options.load_bound > 0)),
          hashes_(setup_.options.strategy == routing::consistent_hash),
          loads_(setup_.options.strategy == routing::least_loaded)
    {}
    routing_table(const routing_table&) = delete;
    routing_table& operator=(const routing_table&) = delete;
    ~routing_table()
    {
        keep_own();
        while (!routees_.empty())
            take_out(routees_.back()->who);
    }

    void fill()
    {
        for (const pid& member : setup_.members)
            add(member, false);
        take_over_kept();
        grow(setup_.size);
    }

    void handle(message received)
    {
        if (received.is<withheld>())
            return;  // it stands for a message that middleware kept from the router
        if (received.is<resize_pool>() && setup_.spawn == nullptr)
            return;  // a group has no size: a dead letter
        const bool for_router =
            received.match([&](terminated& m) { take_out(m.who); }, [&](add_routee& m) { add(m.who, false); },
                [&](remove_routee& m) { remove(m.who); }, [&](get_routees&) { return routees(); },
                [&](resize_pool& m) { resize(m.size); }, [&](touch&) { return touched{self_.pid()}; },
                [&](broadcast m) {  // by value, so that it is not given to the router again
                    held_envelope sent = m.release();
                    if (sent == nullptr) {
                        post_.bury(envelope::make(std::move(m), received.sender()), self_.pid(),
                            errc::not_understood);
                        return;
                    }
                    sent->sender = received.sender();
                    give_to_all({std::move(sent), headers_of(received)});
                });
        if (for_router)
            return;
        std::unique_ptr<headers> with = headers_of(received);
        held_envelope sent(received.release());
        if (extras_part* more = cell_.extras())
            more->with.erase(sent.get());
        route({std::move(sent), std::move(with)});
    }

private:
    // Routees
    // -------------------------------------------------------------------------------------------------

    /// Notes the routees that are children, for a next life that may find them alive.
    void keep_own() noexcept
    {
        for (const routee* each : routees_) {
            if (!each->is_own)
                continue;
            try {
                setup_.kept->push_back(each->who);
            } catch (...) {  // nobody would send it anything any more
                self_.stop(each->who);
            }
        }
    }

    /// Goes on with the children of a former life that have not been told to end.
    void take_over_kept()
    {
        if (setup_.kept->empty())
            return;
        std::vector<pid> alive = self_.children();
        std::sort(alive.begin(), alive.end());
        for (const pid& each : *setup_.kept)
            if (std::binary_search(alive.begin(), alive.end(), each))
                add(each, true);
        setup_.kept->clear();
    }

    std::vector<pid> routees() const
    {
        std::vector<pid> all;
        all.reserve(routees_.size());
        for (const routee* each : routees_)
            all.push_back(each->who);
        return all;
    }

    void add(pid who, bool is_own)
    {
        if (who == self_.pid() || routees_.contains(who))
            return;
        std::unique_ptr<routee, leaving> joined(new routee(who, is_own));
        joined->join(loads_);
        by_home_.resize(hashes_ ? std::max(by_home_.size(), routees_.size() + 1) : 0);
        joined->home = hashes_ ? hash_.add() : 0;
        const pid next = next_ == routees_.end() ? who : (*next_)->who;
        try {
            routees_.insert(joined.get());
        } catch (...) {
            if (hashes_)
                hash_.remove(joined->home);
            throw;
        }
        next_ = routees_.find(next);
        if (hashes_)
            by_home_[joined->home] = joined.get();
        joined.release();
        self_.watch(who);
    }

    void remove(pid who)
    {
        const auto found = routees_.find(who);
        if (found == routees_.end())
            return;
        const bool is_own = (*found)->is_own;
        self_.unwatch(who);
        take_out(who);
        if (is_own)
            self_.send(who, poison_pill());
    }

    void resize(std::size_t size)
    {
        while (routees_.size() > size)
            remove(routees_.back()->who);
        try {
            grow(size);
        } catch (const std::exception&) {
            log(log_level::warning,
                fmt::format("router {}: a routee could not be spawned: {}", self_.name(),
                    text_of(std::current_exception())));
        }
    }

    void grow(std::size_t size)
    {
        while (routees_.size() < size)
            add(setup_.spawn(self_, setup_.options.routee), true);
    }

    void take_out(pid who) noexcept
    {
        const auto found = routees_.find(who);
        if (found == routees_.end())
            return;
        routee& left = **found;
        if (next_ == found)
            ++next_;
        const bool is_at_end = next_ == routees_.end();
        const pid next = is_at_end ? pid() : (*next_)->who;
        routees_.erase(who);
        next_ = is_at_end ? routees_.end() : routees_.find(next);
        if (hashes_)
            hash_.remove(left.home);
        left.leave();
    }

    // Messages
    // ------------------------------------------------------------------------------------------------

    std::unique_ptr<headers> headers_of(const message& received) const
    {
        if (!cell_.has_extras || received.headers().empty())
            return nullptr;
        return std::make_unique<headers>(received.headers());
    }

    void route(passing given)
    {
        if (routees_.empty()) {
            post_.bury(given.sent.release(), self_.pid(), errc::no_such_actor);
            return;
        }
        switch (setup_.options.strategy) {
        case routing::round_robin:
            hand_over(std::move(given), following(), nullptr);
            break;
        case routing::random:
            hand_over(std::move(given),
                *routees_.any([this](std::uint64_t limit) { return random_.below(limit); }), nullptr);
            break;
        case routing::least_loaded:
            hand_over(std::move(given), loads_.least(), nullptr);
            break;
        case routing::consistent_hash:
            if (const auto key = key_of(*given.sent))
                hand_over(std::move(given), chosen_by(*key), nullptr);
            else
                refuse(std::move(given), "has no key");
            break;
        case routing::broadcast:
        case routing::scatter_gather_first:
            gather(std::move(given));
            break;
        }
    }

    void hand_over(passing given, routee& to, gathering* group)
    {
        if (counts_ || group != nullptr)
            in_flight::begin(post_, to, *given.sent, group);
        if (cell_.has_extras || given.with != nullptr) [[unlikely]]
            post_.send_specially(cell_, to.who, given.sent.release(), std::move(given.with));
        else
            post_.pass(to.who, given.sent.release());
    }

    routee& following() noexcept
    {
        if (next_ == routees_.end())
            next_ = routees_.begin();
        return **next_++;
    }

    std::optional<std::uint64_t> key_of(envelope& sent)
    {
        try {
            if (const auto hash = setup_.options.keys.hash_of(sent))
                return hash;
            if (sent.type->hash_key != nullptr)
                return sent.type->hash_key(sent.body());
        } catch (...) {}  // what throws has no key
        return std::nullopt;
    }

    /// The key's first choice among those that may take one more. There always is one: together they have
    /// room for more than what is in flight.
    routee& chosen_by(std::uint64_t key) noexcept
    {
        routee* chosen = by_home_[hash_(key)];
        if (!counts_)
            return *chosen;
        const double bound = std::max(1.0, setup_.options.load_bound);
        const double share = static_cast<double>(loads_.total() + 1) / static_cast<double>(routees_.size());
        const auto room = static_cast<std::size_t>(std::ceil(bound * share));
        for (int choices = 1; chosen->load() >= room && choices < 64; ++choices) {
            key = mixed(key + 0x9e3779b97f4a7c15);
            chosen = by_home_[hash_(key)];
        }
        if (chosen->load() < room)
            return *chosen;
        // Nearly all are full, which a bound close to 1 makes of them: the next one after the last choice.
        auto next = routees_.find(chosen->who);
        while ((*next)->load() >= room)
            if (++next == routees_.end())
                next = routees_.begin();
        return **next;
    }

    /// Gives a request to all, and its asker what came of it; another message just to all.
    void gather(passing given)
    {
        if (given.sent->reply == 0) {
            give_to_all(std::move(given));
            return;
        }
        const bool wants_all = setup_.options.strategy == routing::broadcast;
        std::vector<passing> all = copies_of(std::move(given));
        if (all.empty())
            return;
        auto* group = new gathering(post_, *all.back().sent, all.size(), wants_all);
        std::size_t given_to = 0;
        try {
            for (routee* each : routees_) {
                hand_over(std::move(all[given_to]), *each, group);
                ++given_to;
            }
        } catch (...) {  // the router's middleware; the message it threw over has ended
            while (++given_to < all.size())
                group->note(nullptr, nullptr, errc::actor_failed);
            throw;
        }
    }

    void give_to_all(passing given)
    {
        if (routees_.empty()) {
            post_.bury(given.sent.release(), self_.pid(), errc::no_such_actor);
            return;
        }
        std::vector<passing> all = copies_of(std::move(given));
        if (all.empty())
            return;
        auto next = all.begin();
        for (routee* each : routees_)
            hand_over(std::move(*next++), *each, nullptr);
    }

    /// One for each routee, the message itself being the last; none when it cannot be copied.
    std::vector<passing> copies_of(passing given)
    {
        std::vector<passing> all;
        all.reserve(routees_.size());
        try {
            while (all.size() + 1 < routees_.size()) {
                held_envelope copy = copy_of(*given.sent);
                if (copy == nullptr) {
                    refuse(std::move(given), "cannot be copied");
                    return {};
                }
                copy->deadline = given.sent->deadline;
                all.push_back({std::move(copy),
                    given.with != nullptr ? std::make_unique<headers>(*given.with) : nullptr});
            }
        } catch (...) {
            refuse(std::move(given), "could not be copied");
            return {};
        }
        all.push_back(std::move(given));
        return all;
    }

    void refuse(passing given, std::string_view why)
    {
        log(log_level::warning,
            fmt::format("router {}: a message of type {} {}", self_.name(), given.sent->type->name(), why));
        post_.bury(given.sent.release(), self_.pid(), errc::not_understood);
    }

    context& self_;
    station& post_;
    cell& cell_;
    router_setup setup_;
    random_source random_;
    const bool counts_;  // what is in flight
    const bool hashes_;
    load_book loads_;
    ordered_set<routee*, routee::key> routees_;
    ordered_set<routee*, routee::key>::iterator next_;  // whose turn it is in round robin
    consistent_hash hash_;
    std::vector<routee*> by_home_;  // where the hash leads
};

}  // namespace costar::machine
