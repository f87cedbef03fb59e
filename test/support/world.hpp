// SPDX-License-Identifier: MIT

// A random world: actors and outsiders that do everything an engine offers, in an order that a seed chooses,
// and a book of what must hold whatever they do. The same operations run in the simulation and under threads.
#pragma once

#include <costar/actor/engine.hpp>
#include <costar/core/clock.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace support {

/// What a world is like.
struct world_options {
    std::uint64_t seed = 1;

    /// Operations that its actors and outsiders begin; afterwards it only comes to rest.
    std::int64_t actions = 400;

    /// How many messages can be told apart; none is sent beyond them.
    std::uint32_t items = 1 << 16;

    /// Within which time what has a deadline ends behind it. In a simulation nothing is late at all.
    std::chrono::nanoseconds lateness{0};

    /// Is there one thread alone, which must not wait?
    bool simulated = true;

    /// Names of operations that are left out.
    std::set<std::string_view> without = {};
};

/// What must hold, and what has been seen.
///
/// Thread safety: any thread.
class world_book {
public:
    explicit world_book(const world_options& options);

    const world_options& options() const noexcept { return options_; }

    // What may still be begun
    // --------------------------------------------------------------------------------------------

    /// One operation less is left; false when there is none.
    bool begin_action() noexcept { return actions_.fetch_sub(1, std::memory_order_relaxed) > 0; }

    /// Nothing new is begun.
    void end_actions() noexcept { actions_.store(0, std::memory_order_relaxed); }
    bool is_acting() const noexcept { return actions_.load(std::memory_order_relaxed) > 0; }

    std::uint32_t next_sender() noexcept { return senders_.fetch_add(1, std::memory_order_relaxed); }

    // Messages
    // ---------------------------------------------------------------------------------------------------

    enum fate : std::uint8_t {
        handled = 1,      ///< by its receiver
        dead = 2,         ///< told as a dead letter
        refused = 4,      ///< its sender was told
        open = 8,         ///< its sender gave up and does not know
        withheld = 16,    ///< by middleware
        repeatable = 32,  ///< may be handled more than once, or die afterwards
    };

    static constexpr std::uint32_t no_item = UINT32_MAX;

    /// A number for one more message; `no_item` when there is none left.
    std::uint32_t next_item() noexcept;

    std::uint32_t items() const noexcept { return std::min(items_.load(), options_.items); }

    /// Something has become of a message.
    void note(std::uint32_t item, unsigned what);

    // Requests
    // ---------------------------------------------------------------------------------------------------

    std::atomic<std::int64_t> under_way{0};  ///< waits that must end by themselves
    std::atomic<std::int64_t> outside{0};    ///< requests from outside whose handlers were not called

    /// A request that was to take `limit` has taken `spent`.
    void check_end(std::chrono::nanoseconds limit, std::chrono::nanoseconds spent, const char* what);

    // Actors
    // ---------------------------------------------------------------------------------------------------

    void begun(costar::pid who, costar::pid parent);

    /// Was it seen to be made, and not to end?
    ///
    /// Whoever waited for the end of one that was must not find it alive. One that was not may only be on
    /// its way to be born on another strand: its pid lies here in memory, where it overtakes the birth.
    bool is_alive(costar::pid who);

    /// Somebody to turn to. A detour is one that passes on what it gets.
    struct acquaintance {
        costar::pid who;
        bool is_detour = false;
    };
    void introduce(acquaintance known);
    acquaintance anybody(costar::random_source& random);

    std::atomic<std::int64_t> alive{0};  ///< objects that live in frames and messages

    // Verdict
    // ---------------------------------------------------------------------------------------------------

    /// A promise was broken.
    void blame(const std::string& what);

    /// What was broken so far; empty when all is well.
    std::string blamed();

    /// Looks at an engine that has come to its end.
    void close(costar::engine& ended);

    /// How often each operation was begun.
    static constexpr std::size_t kinds = 96;
    std::array<std::atomic<std::uint64_t>, kinds> performed{};

private:
    friend class world;

    void made(const costar::actor_initialized& event);
    void ended(const costar::actor_stopped& event);
    void died(const costar::dead_letter& event);

    const world_options options_;
    std::atomic<std::int64_t> actions_;
    std::atomic<std::uint32_t> senders_{1};
    std::atomic<std::uint32_t> items_{0};
    std::vector<std::atomic<std::uint8_t>> fates_;
    std::atomic<std::uint64_t> told_{0};  // dead letters
    std::atomic<bool> dead_letters_sent_{false};

    std::mutex mutex_;
    std::set<costar::pid> made_;
    std::set<costar::pid> ended_;
    std::map<costar::pid, costar::pid> parents_;
    std::map<costar::pid, int> children_;
    std::vector<acquaintance> known_;
    std::string blamed_;
    int blames_ = 0;
};

/// An object that is counted while it lives.
class counted {
public:
    explicit counted(world_book& book) noexcept : book_(&book) { ++book.alive; }
    counted(const counted& other) noexcept : book_(other.book_) { ++book_->alive; }
    counted& operator=(const counted&) = delete;
    ~counted() { --book_->alive; }

    world_book& book() const noexcept { return *book_; }

private:
    world_book* book_;
};

/// A world in an engine that its host makes and runs.
///
/// Lifetime: it outlives the engine.
class world {
public:
    explicit world(const world_options& options);
    world(const world&) = delete;
    world& operator=(const world&) = delete;
    ~world();

    /// What its engine is made with; the host adds how it is run.
    costar::engine_options engine_options();

    /// Listens to the engine and spawns the first actors.
    void begin(costar::engine& engine);

    /// Lets a thread that is in no strand's turn, or a handler, do `count` things.
    void act_from_outside(std::uint64_t seed, int count);

    /// Sends something along every way between strands, and calls `done` when all has arrived: what was sent
    /// before has arrived then, too.
    void flush(std::function<void()> done);

    /// From the calling thread: waits until all that it sent has arrived.
    void flush_this_thread();

    /// An actor on each strand that answers `pulse`.
    const std::vector<costar::pid>& pulses() const noexcept { return pulses_; }

    /// Ends the subscriptions; with the engine at its end, `book().close(engine)` comes next.
    void leave();

    world_book& book() noexcept { return *book_; }

    /// The operations there are, those of actors first.
    static std::vector<std::string_view> operations();

private:
    friend class outsider;

    std::unique_ptr<world_book> book_;
    costar::engine* engine_ = nullptr;
    costar::random_source random_;
    std::vector<costar::pid> pulses_;
    std::mutex mutex_;
    std::vector<costar::event_stream::subscription> subscriptions_;
    costar::event_stream::subscription passing_[4];
};

/// Asks whether an actor is heard.
struct pulse {
    using reply = int;
    int value;
};

}  // namespace support
