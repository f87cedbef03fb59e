// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace costar::machine {

/// How strands get their turns.
struct scheduler_options {
    /// Strands of an owned engine, each with an `io_context` and a thread; 0 means one for each core.
    std::size_t strands = 0;

    /// How long an idle strand looks for work from other threads before its thread sleeps. It stops looking
    /// while that proves useless.
    std::chrono::nanoseconds spin = std::chrono::microseconds(50);

    /// Binds the thread of strand n to the n-th core that the process was given when it was started.
    bool pin_threads = false;

    turn_options turn;

    /// Where strands read the time; the system's steady clock when null. Must outlive the engine.
    costar::clock* clock = nullptr;
};

/// Lays strands on threads of its own or on borrowed executors, and ends in order.
///
/// Thread safety: `at` and `size` from any thread; `start` and `stop` once, from the thread that made it.
class scheduler {
public:
    /// Owns one `io_context` and thread for each strand.
    explicit scheduler(const scheduler_options& options);

    /// Borrows one executor for each strand. Executors may be run by several threads: each is wrapped in an
    /// `asio::strand`. No thread is started, and no work is held while all is idle.
    ///
    /// Errors: throws `std::invalid_argument` when there is none.
    scheduler(std::vector<asio::any_io_executor> borrowed, const scheduler_options& options);

    /// A single strand whose turns are driven by the caller through `at(0)`. For simulations: `strands` of
    /// them.
    struct manual {};
    scheduler(manual, const scheduler_options& options);

    scheduler(const scheduler&) = delete;
    scheduler& operator=(const scheduler&) = delete;
    ~scheduler();

    std::size_t size() const noexcept { return contexts_.size(); }
    strand_context& at(std::size_t index) const noexcept { return *contexts_[index]; }

    /// Runs on threads of its own?
    bool is_owned() const noexcept;

    /// Are its strands given their turns by hand?
    bool is_manual() const noexcept;

    /// Is the calling thread one of its own?
    bool is_own_thread() const noexcept;

    /// Connects the strands with what runs on them and lets them run.
    void start(const std::vector<parcel_receiver*>& receivers);

    /// Ends the turns: own threads are joined, borrowed executors find nothing to run any more.
    void stop() noexcept;

private:
    class driver;
    class owned_driver;
    class borrowed_driver;
    class manual_driver;

    /// Lets go of a driver, which others may still hold.
    struct release {
        void operator()(driver* held) const noexcept;
    };

    std::unique_ptr<strand_context> make_context(const scheduler_options& options);
    void add(std::unique_ptr<driver> made);

    real_clock real_clock_;
    std::vector<strand_context*> contexts_;  // each belongs to its driver
    std::vector<std::unique_ptr<driver, release>> drivers_;
};

}  // namespace costar::machine
