// SPDX-License-Identifier: MIT

#include <costar/actor/router.hpp>

#include "in_flight.hpp"

#include <costar/actor/engine.hpp>
#include <costar/actor/extras.hpp>
#include <costar/actor/outgoing.hpp>
#include <costar/core/log.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace costar {

namespace {

/// A message that is on its way through, with its headers if it has some.
struct passing {
    held_envelope sent;
    std::unique_ptr<headers> with;
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
              (setup_.options.strategy == routing::consistent_hash && setup_.options.load_bound > 0))
    {}
    routing_table(const routing_table&) = delete;
    routing_table& operator=(const routing_table&) = delete;
    ~routing_table()
    {
        while (!routees_.empty())
            take_out(routees_.size() - 1);
    }

    void fill()
    {
        for (const pid& member : setup_.members)
            add(member, false);
        grow(setup_.size);
    }

    void handle(message received)
    {
        if (received.is<withheld>())
            return;  // it stands for a message that middleware kept from the router
        if (received.is<resize_pool>() && setup_.spawn == nullptr)
            return;  // a group has no size: a dead letter
        const bool for_router = received.match([&](terminated& m) { take_out(find(m.who)); },
            [&](add_routee& m) { add(m.who, false); }, [&](remove_routee& m) { remove(m.who); },
            [&](get_routees&) { return routees(); }, [&](resize_pool& m) { resize(m.size); },
            [&](touch&) { return touched{self_.pid()}; },
            [&](broadcast m) {  // by value, so that it is not given to the router again
                held_envelope sent = m.release();
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

    std::vector<pid> routees() const
    {
        std::vector<pid> all;
        for (const routee* each : routees_)
            all.push_back(each->who);
        return all;
    }

    void add(pid who, bool is_own)
    {
        if (who == self_.pid() || find(who) != routees_.size())
            return;
        routees_.reserve(routees_.size() + 1);
        routees_.push_back(new routee(total_, who, is_own));
        self_.watch(who);
    }

    void remove(pid who)
    {
        const std::size_t place = find(who);
        if (place == routees_.size())
            return;
        const bool is_own = routees_[place]->is_own;
        self_.unwatch(who);
        take_out(place);
        if (is_own)
            self_.send(who, poison_pill());
    }

    void resize(std::size_t size)
    {
        while (routees_.size() > size)
            remove(routees_.back()->who);
        try {
            grow(size);
        } catch (const std::exception& thrown) {
            log(log_level::warning,
                fmt::format("router {}: a routee could not be spawned: {}", self_.name(), thrown.what()));
        }
    }

    void grow(std::size_t size)
    {
        while (routees_.size() < size)
            add(setup_.spawn(self_, setup_.options.routee), true);
    }

    std::size_t find(pid who) const noexcept
    {
        std::size_t place = 0;
        while (place < routees_.size() && routees_[place]->who != who)
            ++place;
        return place;
    }

    void take_out(std::size_t place) noexcept
    {
        if (place == routees_.size())
            return;
        routee& left = *routees_[place];
        routees_.erase(routees_.begin() + static_cast<std::ptrdiff_t>(place));
        if (next_ > place)
            --next_;
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
            hand_over(std::move(given), *routees_[following()], nullptr);
            break;
        case routing::random:
            hand_over(std::move(given), *routees_[random_.below(routees_.size())], nullptr);
            break;
        case routing::least_loaded:
            hand_over(std::move(given), least_loaded(), nullptr);
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
            post_.send(to.who, given.sent.release());
    }

    std::size_t following() noexcept
    {
        if (next_ >= routees_.size())
            next_ = 0;
        return next_++;
    }

    /// The one with the fewest messages in flight; those that have equally few take turns.
    routee& least_loaded() noexcept
    {
        const std::size_t first = following();
        routee* best = routees_[first];
        for (std::size_t i = 1; i < routees_.size(); ++i) {
            routee* other = routees_[(first + i) % routees_.size()];
            if (other->load() < best->load())
                best = other;
        }
        return *best;
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

    /// The highest number among those that may take one more. There always is one: together they have room
    /// for more than what is in flight.
    routee& chosen_by(std::uint64_t key) noexcept
    {
        std::size_t room = SIZE_MAX;
        if (counts_) {
            const double bound = std::max(1.0, setup_.options.load_bound);
            const double share = static_cast<double>(total_ + 1) / static_cast<double>(routees_.size());
            room = static_cast<std::size_t>(std::ceil(bound * share));
        }
        routee* best = nullptr;
        std::uint64_t highest = 0;
        for (routee* each : routees_) {
            if (each->load() >= room)
                continue;
            const std::uint64_t score = mixed(key ^ mixed(each->who.key() ^ mixed(each->who.place())));
            if (best == nullptr || score > highest) {
                best = each;
                highest = score;
            }
        }
        return *best;
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
            for (; given_to < all.size(); ++given_to)
                hand_over(std::move(all[given_to]), *routees_[given_to], group);
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
        for (std::size_t i = 0; i < all.size(); ++i)
            hand_over(std::move(all[i]), *routees_[i], nullptr);
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
    std::vector<routee*> routees_;
    std::size_t next_ = 0;
    std::size_t total_ = 0;  // in flight at those who are routees now
};

}  // namespace

std::optional<std::uint64_t> hash_keys::hash_of(envelope& sent) const
{
    for (const entry& known : entries_)
        if (known.type == sent.type)
            return known.hash(sent.body());
    return std::nullopt;
}

task<> router::operator()(context& self, router_setup setup) const
{
    if (self.stopping())
        co_return;  // born into a shutdown, where nothing is spawned
    routing_table table(self, std::move(setup));
    table.fill();
    while (auto received = co_await self.receive())
        table.handle(std::move(received));
}

}  // namespace costar
