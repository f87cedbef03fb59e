// SPDX-License-Identifier: MIT

// Nodes that send, ask, watch and introduce each other at random while their network is cut, falls silent and
// heals, and while they die and come back. Each seed is another world; what is promised holds in all of them.

#include <costar/core/result.hpp>
#include <costar/remote/simulated_network.hpp>
#include <costar/testing/simulation.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <support/catch.hpp>

#include "places.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

namespace {

// What a citizen is told to do, on its own node.
struct send_order {
    std::uint32_t count;
};
struct ask_order {
    std::chrono::nanoseconds deadline;
};
struct watch_order {};
struct unwatch_order {};
struct wait_order {};
struct introduce_order {};
struct speak_order {};

constexpr std::chrono::nanoseconds never = std::chrono::hours(1000);

/// What one actor has done, and what has come of it.
struct life {
    bool is_over = false;
    std::uint64_t asked = 0;
    std::uint64_t heard = 0;  // what came of it
    std::multiset<pid> waiting;
    std::set<pid> watching;
    std::set<pid> let_go;  // may still be told of
};

/// What has been seen of a world.
class chronicle {
public:
    explicit chronicle(random_source& random) : random(random) {}

    std::uint32_t add()
    {
        lives.push_back(std::make_unique<life>());
        return static_cast<std::uint32_t>(lives.size() - 1);
    }

    void arrived(std::uint32_t receiver, std::uint64_t number)
    {
        const auto sender = static_cast<std::uint32_t>(number >> 32);
        auto& last = last_of[{sender, receiver}];
        if (number <= last)
            fail(fmt::format(
                "{} gets {} of {} behind {}", receiver, number & 0xffffffff, sender, last & 0xffffffff));
        last = number;
        ++delivered;
    }

    void fail(std::string what)
    {
        if (wrong.empty())
            wrong = std::move(what);
    }

    random_source& random;
    std::vector<std::unique_ptr<life>> lives;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> last_of;
    std::map<pid, std::uint64_t> who_is;  // who answers at an address
    std::uint64_t sent = 0;
    std::uint64_t not_found = 0;
    std::uint64_t delivered = 0;
    std::map<std::string, std::uint64_t> seen;
    std::string wrong;
};

class end_of_life {
public:
    explicit end_of_life(life& whose) : whose_(whose) {}
    end_of_life(const end_of_life&) = delete;
    end_of_life& operator=(const end_of_life&) = delete;
    ~end_of_life() { whose_.is_over = true; }

private:
    life& whose_;
};

template <class Request>
task<> asks(
    context& self, chronicle* book, life* mine, pid whom, Request request, std::chrono::nanoseconds deadline)
{
    ++mine->asked;
    const auto answer = co_await as_result(self.ask(whom, request, deadline));
    ++mine->heard;
    if constexpr (std::is_same_v<Request, total>)
        if (answer && book->who_is.emplace(whom, *answer).first->second != *answer)
            book->fail("another one answers than before");
    ++book->seen[answer ? "a request is answered" : "a request ends: " + answer.error().message()];
}

task<> waits(context& self, chronicle* book, life* mine, pid whom)
{
    mine->waiting.insert(whom);
    static_cast<void>(co_await as_result(self.wait(whom)));
    mine->waiting.extract(whom);
    ++book->seen["waited"];
}

/// A message that may travel in parts.
greeting letter_of(std::uint32_t sender, std::uint64_t number, std::size_t size)
{
    return {std::to_string(sender) + std::string(size, '.'), static_cast<std::uint32_t>(number)};
}

task<> citizen(context& self, chronicle* book)
{
    const std::uint32_t id = book->add();
    life& mine = *book->lives[id];
    const end_of_life end(mine);
    std::uint64_t number = std::uint64_t{id} << 32;
    std::vector<pid> known;
    const auto somebody = [&] { return known[book->random.below(known.size())]; };
    while (message m = co_await self.receive()) {
        if (m.is<more>()) {
            book->arrived(id, m.get<more>().value);
            m.mark_handled();
        } else if (m.is<greeting>()) {
            const auto& large = m.get<greeting>();
            book->arrived(id, std::stoull(large.name) << 32 | large.times);
            ++book->seen["a large message has arrived"];
            m.mark_handled();
        } else if (m.is<total>()) {
            m.respond(std::uint64_t{id});
        } else if (m.is<dialect>()) {
            m.respond(1);
        } else if (m.is<tell>()) {
            const pid whom = m.get<tell>().whom;
            if (known.size() < 12)
                known.push_back(whom);
            else
                known[book->random.below(known.size())] = whom;
            self.spawn_task(asks(self, book, &mine, whom, total{}, 2s));
            m.mark_handled();
        } else if (m.is<terminated>()) {
            const auto& news = m.get<terminated>();
            if (mine.watching.erase(news.who) == 0 && mine.let_go.erase(news.who) == 0)
                book->fail(fmt::format("{} is told twice of an end", id));
            ++book->seen[news.reason == errc::unreachable ? "a watch is lost" : "an end is told"];
            m.mark_handled();
        } else if (known.empty()) {
            m.mark_handled();
        } else if (m.is<send_order>()) {
            const pid whom = somebody();
            for (std::uint32_t i = 0; i < m.get<send_order>().count; ++i) {
                ++number;
                ++book->sent;
                if (book->random.below(40) == 0)
                    self.send(whom, letter_of(id, number, book->random.below(200'000)));
                else
                    self.send(whom, more{number});
            }
        } else if (m.is<ask_order>()) {
            self.spawn_task(asks(self, book, &mine, somebody(), total{}, m.get<ask_order>().deadline));
        } else if (m.is<watch_order>()) {
            const pid whom = somebody();
            if (!mine.watching.contains(whom) && !mine.let_go.contains(whom) &&
                mine.watching.insert(whom).second)
                self.watch(whom);
        } else if (m.is<unwatch_order>()) {
            if (!mine.watching.empty()) {
                const pid whom = *mine.watching.begin();
                self.unwatch(whom);
                mine.let_go.insert(whom);
                mine.watching.erase(whom);
            }
        } else if (m.is<wait_order>()) {
            self.spawn_task(waits(self, book, &mine, somebody()));
        } else if (m.is<speak_order>()) {
            self.spawn_task(asks(self, book, &mine, somebody(), dialect{}, never));
        } else if (m.is<introduce_order>()) {
            self.send(somebody(), tell{somebody()});
        }
    }
}

constexpr std::size_t citizens_of_a_host = 3;

/// A machine with a node, that dies and begins anew.
class host_machine {
public:
    host_machine(testing::simulation& sim, remote::simulated_network& network, chronicle& book, int number)
        : sim_(sim), network_(network), book_(book), name_(1, static_cast<char>('a' + number))
    {
        begin();
    }
    ~host_machine() { end(); }
    host_machine(const host_machine&) = delete;

    void begin()
    {
        if (actors_ != nullptr)
            return;
        has_left_ = false;
        actors_ = &sim_.add_engine(name_);
        wire::dictionary words = all_words();
        if (name_ == "b")
            words.add<dialect>();
        node_ = std::make_unique<remote::node>(*actors_, std::move(words),
            remote::node_options{.name = name_,
                .listen = address(),
                .greeting_timeout = 2s,
                .heartbeat = 1s,
                .silence_max = 4s,
                .pause_min = 50ms,
                .pause_max = 2s,
                .queue_max = 2000,
                .network = network_.host(name_)});
        for (std::size_t i = 0; i < citizens_of_a_host; ++i)
            spawn(i);
    }

    void end()
    {
        if (actors_ == nullptr)
            return;
        node_.reset();
        sim_.end(*std::exchange(actors_, nullptr));
    }

    void leave()
    {
        has_left_ = true;
        node_->leave(1s, [](error_code) {});
    }

    /// It accepts nobody any more.
    bool has_left() const noexcept { return has_left_; }
    bool is_there() const noexcept { return actors_ != nullptr; }
    const std::string& name() const noexcept { return name_; }
    std::string address() const { return name_ + ":1"; }
    engine& actors() noexcept { return *actors_; }
    remote::node& node() noexcept { return *node_; }

    void spawn(std::size_t i) { actors_->spawn(fmt::format("c{}", i), &citizen, &book_); }

    /// One of its citizens, unless it has just been stopped.
    pid any()
    {
        return actors_->find(fmt::format("c{}", book_.random.below(citizens_of_a_host))).value_or(pid());
    }

    /// Lets one of its citizens know one of another host.
    void meet(const host_machine& other)
    {
        const auto who = fmt::format("{}/c{}", other.address(), book_.random.below(citizens_of_a_host));
        node_->find(who, [this, mine = any(), actors = actors_](error_code failed, pid found) {
            book_.not_found += failed ? 1 : 0;
            if (!failed && actors == actors_)
                actors_->send(mine, tell{found});
        });
    }

private:
    testing::simulation& sim_;
    remote::simulated_network& network_;
    chronicle& book_;
    const std::string name_;
    bool has_left_ = false;
    engine* actors_ = nullptr;
    std::unique_ptr<remote::node> node_;
};

class remote_world {
public:
    explicit remote_world(testing::simulation& sim)
        : sim_(sim), random_(sim.random()), network_(sim), book_(random_), is_quiet_(random_.below(6) == 0)
    {
        const std::size_t count = 2 + random_.below(3);
        for (std::size_t i = 0; i < count; ++i)
            hosts_.push_back(std::make_unique<host_machine>(sim, network_, book_, static_cast<int>(i)));
    }

    void run()
    {
        for (int i = 0; i < 10; ++i)
            meet_each_other();
        sim_.advance(100ms);
        for (int i = 0; i < 150; ++i) {
            act();
            sim_.advance(random_.below(10) == 0 ? 1ms * random_.below(6000) : 1us * random_.below(20'000));
        }
        recover();
        sim_.advance(60s);
        check("after the network has healed");
        const std::uint64_t not_found = book_.not_found;
        reach_each_other();
        sim_.advance(1s);  // what is not used is closed
        count_connections();
        for (const auto& [what, count] : book_.seen)
            if (what.starts_with("a watch is lost") || what.starts_with("a request ends"))
                failed_ += count;
        // Of those that are left alone nobody waits or watches for ever.
        for (std::size_t i = 1; i < hosts_.size(); ++i)
            random_.below(2) == 0 ? crash(*hosts_[i]) : hosts_[i]->end();
        sim_.advance(60s);
        check("when all others have gone");
        const auto is_far = [&](pid whom) { return whom.node() != hosts_[0]->any().node(); };
        for (const auto& each : book_.lives)
            if (!each->is_over &&
                (std::any_of(each->watching.begin(), each->watching.end(), is_far) ||
                    std::any_of(each->waiting.begin(), each->waiting.end(), is_far)))
                book_.fail("somebody is not told of a lost link");
        if (is_quiet_ && not_found != 0)
            book_.fail("somebody was not found that is there");
        if (is_quiet_ && failed_ != 0)
            book_.fail("a request has failed, or a link is lost, that nobody has touched");
        if (is_quiet_ && book_.sent != book_.delivered)
            book_.fail(fmt::format("{} of {} messages have arrived", book_.delivered, book_.sent));
        throw_if_wrong();
    }

    void collect(std::map<std::string, std::uint64_t>& marks) const
    {
        for (const auto& [what, count] : book_.seen)
            marks[what] += count;
        marks["connected"] += network_.seen().connected;
        marks["both dialled at once"] += network_.seen().crossed;
        marks["connection reset"] += network_.seen().reset;
        marks["quiet"] += is_quiet_ ? 1 : 0;
    }

private:
    /// Or one the other.
    void meet_each_other()
    {
        host_machine& one = any();
        host_machine& other = any();
        one.meet(other);
        if (random_.below(2) == 0)
            other.meet(one);
    }

    host_machine& any()
    {
        for (;;) {
            host_machine& chosen = *hosts_[random_.below(hosts_.size())];
            if (chosen.is_there())
                return chosen;
        }
    }

    template <class Order>
    void tell_anybody(Order order)
    {
        host_machine& where = any();
        if (const pid whom = where.any())
            where.actors().send(whom, order);
    }

    void act()
    {
        switch (random_.below(is_quiet_ ? 8 : 18)) {
        case 0:
        case 1:
            tell_anybody(send_order{static_cast<std::uint32_t>(1 + random_.below(60))});
            break;
        case 2:
        case 3:
            tell_anybody(ask_order{is_quiet_ || random_.below(2) == 0 ? never : 5ms * random_.below(400)});
            break;
        case 4:
            tell_anybody(introduce_order{});
            if (!is_quiet_)
                tell_anybody(speak_order{});
            break;
        case 5:
        case 6:
            meet_each_other();
            break;
        case 7:
            tell_anybody(watch_order{});
            break;
        default:
            disturb();
        }
    }

    void disturb()
    {
        host_machine& one = any();
        host_machine& other = any();
        switch (random_.below(12)) {
        case 0:
            network_.reset(one.name(), other.name());
            break;
        case 1:
            network_.partition(one.name(), other.name());
            break;
        case 2:
            network_.silence(one.name(), other.name());
            break;
        case 3:
        case 4:
            network_.heal();
            break;
        case 5:
            network_.reset_after(random_.below(6000));
            break;
        case 6:
            if (living() > 1)
                random_.below(2) == 0 ? crash(one) : one.end();
            break;
        case 7:
            if (host_machine& chosen = *hosts_[random_.below(hosts_.size())]; random_.below(2) == 0) {
                if (chosen.has_left())
                    chosen.end();
                chosen.begin();
            }
            break;
        case 8:
            if (random_.below(4) == 0) {
                one.leave();
                ++book_.seen["node left"];
            }
            break;
        case 9:
            if (const pid whom = one.any()) {
                one.actors().stop(whom);
                sim_.run_until_idle();
                for (std::size_t i = 0; i < citizens_of_a_host; ++i)
                    if (!one.actors().find(fmt::format("c{}", i)))
                        one.spawn(i);
            }
            break;
        case 10:
            tell_anybody(random_.below(3) == 0 ? send_order{5000} : send_order{300});
            break;
        default:
            tell_anybody(unwatch_order{});
            tell_anybody(wait_order{});
        }
    }

    std::size_t living() const
    {
        return static_cast<std::size_t>(
            std::count_if(hosts_.begin(), hosts_.end(), [](const auto& each) { return each->is_there(); }));
    }

    void crash(host_machine& which)
    {
        network_.crash(which.name());
        which.end();
        ++book_.seen["host crashed"];
    }

    void recover()
    {
        network_.heal();
        for (const auto& each : hosts_) {
            if (each->has_left())
                each->end();
            each->begin();
        }
    }

    /// All requests have ended, and so has what waits for those or watches those that are no more.
    void check(const char* when)
    {
        const auto is_gone = [&](pid whom) {
            const auto known = book_.who_is.find(whom);
            return known != book_.who_is.end() && book_.lives[known->second]->is_over;
        };
        for (std::size_t id = 0; id < book_.lives.size(); ++id) {
            const life& each = *book_.lives[id];
            if (each.is_over)
                continue;
            if (each.asked != each.heard)
                book_.fail(
                    fmt::format("{}: {} of {} requests of {} have ended", when, each.heard, each.asked, id));
            if (std::any_of(each.waiting.begin(), each.waiting.end(), is_gone))
                book_.fail(fmt::format("{}: {} waits for the end of one that is no more", when, id));
            if (std::any_of(each.watching.begin(), each.watching.end(), is_gone))
                book_.fail(fmt::format("{}: {} watches one that is no more", when, id));
        }
        throw_if_wrong();
    }

    void reach_each_other()
    {
        for (const auto& from : hosts_)
            for (const auto& to : hosts_) {
                if (from == to)
                    continue;
                const auto seen = std::make_shared<std::pair<bool, error_code>>();
                from->node().find(
                    to->address() + "/c0", [seen](error_code failed, pid) { *seen = {true, failed}; });
                sim_.run_until([&] { return seen->first; });
                if (seen->second)
                    book_.fail(fmt::format(
                        "{} cannot reach {}: {}", from->name(), to->name(), seen->second.message()));
            }
        throw_if_wrong();
    }

    /// A pair of nodes has one connection.
    void count_connections()
    {
        if (network_.connections() > hosts_.size() * (hosts_.size() - 1) / 2)
            book_.fail(fmt::format("{} nodes have {} connections", hosts_.size(), network_.connections()));
    }

    void throw_if_wrong() const
    {
        if (!book_.wrong.empty())
            throw std::runtime_error(book_.wrong);
    }

    testing::simulation& sim_;
    random_source& random_;
    remote::simulated_network network_;
    chronicle book_;
    const bool is_quiet_;
    std::uint64_t failed_ = 0;
    std::vector<std::unique_ptr<host_machine>> hosts_;
};

}  // namespace

TEST_CASE("world: what is promised between nodes holds with every seed", "[remote][world]")
{
    set_log_level(log_level::warning);  // links come and go
    std::map<std::string, std::uint64_t> marks;
    const std::uint64_t seeds = testing::for_each_seed(400, {}, [&](testing::simulation& sim) {
        remote_world world(sim);
        world.run();
        world.collect(marks);
    });
    std::printf("remote world: %llu seeds\n", static_cast<unsigned long long>(seeds));
    for (const auto& [what, count] : marks)
        std::printf("  %8llu %s\n", static_cast<unsigned long long>(count), what.c_str());
    if (seeds >= 1000)
        for (const char* mark : {"a request ends: no such actor", "a request ends: the deadline passed",
                 "a request ends: the link to the node was lost", "a request ends: the mailbox is full",
                 "a request ends: the node is not reachable", "a watch is lost", "an end is told",
                 "both dialled at once", "connection reset", "host crashed", "node left", "quiet", "waited"})
            CHECK(marks[mark] > 0);
}
