// SPDX-License-Identifier: MIT

#pragma once

#include <costar/actor/engine.hpp>
#include <costar/core/clock.hpp>
#include <costar/core/spawn.hpp>
#include <costar/testing/faults.hpp>
#include <costar/testing/seeds.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace costar::testing {

/// What can be chosen for a simulation.
struct simulation_options {
    /// Strands, all run by the one thread of the test.
    std::size_t strands = 2;

    /// Steps after which a simulation that does not come to rest is given up.
    std::uint64_t step_limit = 10'000'000;

    /// How much virtual time `ask` and `run` let pass before they call a test stuck.
    std::chrono::nanoseconds patience = std::chrono::minutes(1);

    /// What is chosen for the engine; the number of strands and the clock are the simulation's.
    engine_options engine = {.name = "sim", .dead_letter_lines = 0};

    /// Lets `simulation::faults` get between actors and messages, which then all take the long way.
    bool faults = false;
};

/// A test cannot go on: nothing is left to run, and what it waits for has not come. Says who waits for what,
/// and the seed that brings it back.
class stuck : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A probe got another message than the test expects, or none.
class unexpected : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class probe;

/// An engine whose strands share the thread of the test, on a clock that moves only when told, in an order
/// that a seed chooses.
///
/// The same seed and the same program give the same order, time after time; another seed gives another one.
/// Ready actors, handlers and strands are chosen at random, messages from one sender to one receiver stay in
/// order. There may be more engines, as of several nodes.
///
/// Thread safety: one thread, that of the test.
/// Lifetime: actors that are left are destroyed with it.
class simulation {
public:
    /// The seed is `COSTAR_SEED` of the environment when it is set, else `seed`.
    explicit simulation(std::uint64_t seed = 1, simulation_options options = {});
    simulation(const simulation&) = delete;
    ~simulation();

    costar::engine& engine() noexcept { return *engines_.front(); }

    /// Another engine on the same clock, with as many strands, until `end`: at once, as in a crash. And other
    /// things that happen in time.
    costar::engine& add_engine(std::string name);
    void end(costar::engine& other);
    void add(happenings& others) { happenings_.push_back(&others); }
    void forget(happenings& others) noexcept { std::erase(happenings_, &others); }

    std::uint64_t seed() const noexcept { return seed_; }

    /// Virtual time since the simulation began.
    std::chrono::nanoseconds now() noexcept;

    /// The date and the time of day, which moves with virtual time. A simulation begins on Monday, 1 January
    /// 2024, at midnight in UTC (`manual_clock::first_day`).
    std::chrono::system_clock::time_point wall() noexcept { return clock_.wall(); }

    /// Sets the date, forward or back; virtual time stands still.
    void set_wall(std::chrono::system_clock::time_point date) noexcept { clock_.set_wall(date); }

    /// Runs until nothing is ready. Time stands still.
    ///
    /// Errors: throws `stuck` when it does not come to rest within `step_limit` steps.
    void run_until_idle();

    /// Lets time pass: runs until nothing is ready, then moves to the next timer, and so on for `span`.
    void advance(std::chrono::nanoseconds span);

    /// Asks an actor and gives its answer; time passes as far as needed.
    ///
    /// Errors: throws `costar::error` as `context::ask` does, and `stuck` when no answer can come.
    template <class Destination, class Message>
    auto ask(const Destination& to, Message&& message)
    {
        return ask_from(engine(), to, std::forward<Message>(message));
    }
    template <class Destination, class Message>
    auto ask_from(costar::engine& from, const Destination& to, Message&& message)
    {
        using reply = typename std::remove_cvref_t<Message>::reply;
        struct outcome {
            std::optional<error_code> code;
            std::optional<stored_reply<reply>> value;
        };
        const auto seen = std::make_shared<outcome>();  // outlives this call when the test is stuck
        from.ask(to, std::forward<Message>(message), std::chrono::nanoseconds(-1),
            [seen](error_code ended, auto... answer) {
                seen->code = ended;
                if constexpr (sizeof...(answer) == 1)
                    (take(seen->value, std::move(answer)), ...);
            });
        run_until([&] { return seen->code.has_value(); });
        if (*seen->code)
            throw error(*seen->code);
        if constexpr (!std::is_void_v<reply>)
            return std::move(*seen->value);
    }

    /// Runs until something holds; time passes as far as needed. Errors: `stuck` when that cannot come.
    void run_until(const std::function<bool()>& done);

    /// Runs a task on the first strand and gives its value; time passes as far as needed.
    ///
    /// Errors: throws what the task throws, and `stuck` when it cannot end.
    template <class T>
    T run(task<T> work)
    {
        using kept = std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, stored_reply<T>>;
        struct outcome {
            bool ended = false;
            std::exception_ptr failure;
            std::optional<kept> value;
        };
        const auto seen = std::make_shared<outcome>();  // outlives this call when the test is stuck
        async_spawn(
            engine().get_executor(0), std::move(work), [seen](std::exception_ptr thrown, auto... result) {
                seen->failure = thrown;
                if constexpr (sizeof...(result) == 1)
                    (take(seen->value, std::move(result)), ...);
                seen->ended = true;
            });
        run_until([&] { return seen->ended; });
        if (seen->failure)
            std::rethrow_exception(seen->failure);
        if constexpr (std::is_reference_v<T>)
            return **seen->value;
        else if constexpr (!std::is_void_v<T>)
            return std::move(*seen->value);
    }

    /// Sends a message as from outside of all actors.
    template <class Destination, class Message>
    void send(const Destination& to, Message&& message)
    {
        engine().send(to, std::forward<Message>(message));
    }

    /// Stops an actor and runs until it has ended.
    void stop(pid target);

    /// An actor in the hands of the test.
    probe make_probe();

    /// Faults to inject. Errors: throws `std::logic_error` where `simulation_options::faults` is not set.
    testing::faults& faults();

    /// One line for each living actor: who it is, what it waits for, from where.
    std::string dump() const;

    /// The numbers that choose the order; a test may draw from them too.
    random_source& random() noexcept { return random_; }

private:
    friend class probe;

    template <class T>
    static void take(std::optional<T>& place, T answer)
    {
        place.emplace(std::move(answer));
    }

    /// A reply that cannot be made out of nothing comes in an optional of its own.
    template <class T>
    static void take(std::optional<T>& place, std::optional<T> answer)
    {
        if (answer)
            place.emplace(std::move(*answer));
    }

    template <class Function>
    void for_each_strand(Function&& function) const
    {
        for (const auto& each : engines_)
            for (std::size_t i = 0; i < each->size(); ++i)
                function(each->station_at(i).home());
    }

    bool step();
    bool pass_to_next_timer(std::chrono::nanoseconds limit);
    std::uint64_t next_timer() const noexcept;

    std::uint64_t seed_;
    simulation_options options_;
    manual_clock clock_;
    random_source random_;
    std::unique_ptr<testing::faults> faults_;
    std::vector<happenings*> happenings_;
    std::vector<std::unique_ptr<costar::engine>> engines_;
};

/// Runs a test with one simulation after the other, with the seeds from 1 to `count`, and gives how many
/// these were: `for_each_seed(1000, {}, [](simulation& sim) { ... });`.
///
/// Errors: `seed_failed` says which seed brings back what the test threw.
template <class Test>
std::uint64_t for_each_seed(std::uint64_t count, const simulation_options& options, Test&& test)
{
    const std::uint64_t last = seed_count(count);
    for (std::uint64_t seed = 1; seed <= last; ++seed) {
        simulation sim(seed, options);
        try {
            test(sim);
        } catch (...) {
            throw_with_seed(sim.seed());
        }
    }
    return last;
}

/// An actor that keeps what it gets until the test looks at it.
///
/// Thread safety: the test's thread. Lifetime: it may outlive the simulation, and is of no use then.
class probe {
public:
    probe(probe&& other) noexcept
        : sim_(other.sim_),
          box_(std::move(other.box_)),
          pid_(other.pid_),
          sender_(other.sender_),
          reply_(std::exchange(other.reply_, 0))
    {}
    probe& operator=(probe&& other) noexcept
    {
        std::swap(sim_, other.sim_);
        std::swap(box_, other.box_);
        std::swap(pid_, other.pid_);
        std::swap(sender_, other.sender_);
        std::swap(reply_, other.reply_);
        return *this;
    }
    ~probe() { let_go(); }

    costar::pid pid() const noexcept { return pid_; }

    /// Sends a message with the probe as its sender.
    template <class Destination, class Message>
    void send(const Destination& to, Message&& message)
    {
        in_turn([&](machine::station& post) { post.send(to, std::forward<Message>(message), pid_); });
    }

    /// Takes the next message, which must be a `Message`; runs the simulation as far as it goes without time
    /// passing.
    ///
    /// Errors: throws `unexpected` when another message came, or none.
    template <any_message Message>
    Message expect()
    {
        machine::envelope* arrived = next(machine::type_of<Message>);
        Message value(std::move(arrived->as<Message>()));
        done(arrived);
        return value;
    }

    /// Takes the next message, which must be equal to `wanted`.
    template <any_message Message>
        requires std::equality_comparable<Message>
    void expect(const Message& wanted)
    {
        if (!(expect<Message>() == wanted))
            fail("got a " + machine::type_of<Message>.name() + " of another value");
    }

    /// Takes the next message, which must be a `Message` and come within `limit`; time passes as far as
    /// needed.
    template <any_message Message>
    Message expect_within(std::chrono::nanoseconds limit)
    {
        wait(limit);
        return expect<Message>();
    }

    /// Takes as many messages as types are named, one of each type, in whatever order they came.
    template <any_message... Message>
    std::tuple<Message...> expect_in_any_order()
    {
        return {take_any<Message>()...};
    }

    /// Checks that no message has come.
    void expect_none();

    /// Checks that no message comes while `span` passes.
    void expect_none(std::chrono::nanoseconds span)
    {
        sim_->advance(span);
        expect_none();
    }

    /// Checks that no message of type `Message` is among those that have come; the others stay.
    template <any_message Message>
    void refuse()
    {
        sim_->run_until_idle();
        for (const machine::envelope* each : box().arrived)
            if (each->type == &machine::type_of<Message>)
                fail("refuses a " + machine::type_of<Message>.name() + ", and one came");
    }

    /// Has the probe told of an actor's end, by a `terminated`.
    void watch(costar::pid target);

    /// How many messages have come that nobody looked at.
    std::size_t size();

    /// Who sent the message that was taken last.
    costar::pid sender() const noexcept { return sender_; }

    /// Answers the request that was taken last. One that is not answered by the time the next message is
    /// taken, or the probe is gone, ends with `errc::unanswered` for its asker.
    template <class Reply>
    void respond(Reply&& value)
    {
        if (const std::uint64_t token = std::exchange(reply_, 0))
            in_turn([&](machine::station& post) { post.answer(token, std::forward<Reply>(value)); });
    }

private:
    friend class simulation;

    struct mailbox {
        std::deque<machine::envelope*> arrived;
        mailbox() = default;
        mailbox(const mailbox&) = delete;
        ~mailbox();
    };

    explicit probe(simulation& sim);
    void let_go();
    void take(machine::envelope& arrived);
    static task<> body(context& self, std::shared_ptr<mailbox> box);

    template <any_message Message>
    Message take_any()
    {
        machine::envelope* arrived = next_of(machine::type_of<Message>);
        Message value(std::move(arrived->as<Message>()));
        done(arrived);
        return value;
    }

    void wait(std::chrono::nanoseconds limit);
    mailbox& box() const;
    machine::envelope* next_of(const machine::message_type& wanted);
    machine::envelope* next(const machine::message_type& wanted);
    void done(machine::envelope* taken);
    [[noreturn]] void fail(const std::string& what) const;

    template <class Function>
    void in_turn(Function&& function)
    {
        machine::station& post = sim_->engine().station_at(pid_.strand());
        post.home().enter([&] { function(post); });
    }

    simulation* sim_;
    std::shared_ptr<mailbox> box_;
    costar::pid pid_;
    costar::pid sender_;
    std::uint64_t reply_ = 0;
};

}  // namespace costar::testing
