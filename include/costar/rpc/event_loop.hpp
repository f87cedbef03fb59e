// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand.hpp>
#include <costar/core/strand_driver.hpp>
#include <costar/ground/stray.hpp>
#include <costar/rpc/kj.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <capnp/capability.h>
#include <kj/async.h>

#include <concepts>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// What a promise of this type gives; used for its type alone.
template <class T>
T value_of_promise(const kj::Promise<T>&);
template <class Promise>
using promise_value = decltype(value_of_promise(std::declval<const Promise&>()));

template <class Promise>
concept kj_promise = requires { typename promise_value<Promise>; } &&
    std::derived_from<Promise, kj::Promise<promise_value<Promise>>>;

/// Promises and capabilities are used where the loop is present on which they were made.
template <class T>
    requires std::is_base_of_v<capnp::Capability::Client, T> || kj_promise<T>
inline constexpr bool is_bound_elsewhere<T> = true;

/// What sends later what it has gathered: a stream.
class gathered_output {
public:
    gathered_output() noexcept = default;
    gathered_output(const gathered_output&) = delete;
    gathered_output& operator=(const gathered_output&) = delete;
    ~gathered_output() { leave(); }

    /// Called once for each `kj_loop::flush_soon`.
    virtual void flush() noexcept = 0;

protected:
    void leave() noexcept;

private:
    friend class kj_loop;

    gathered_output* next_ = nullptr;
    gathered_output** place_ = nullptr;
};

/// A wait for a promise, from its beginning to the call of its handler; see `rpc::async_wait`. It belongs to
/// its loop, and ends with it without a call.
class promise_wait : public stray {
public:
    using stray::stray;

    /// Calls the handler with what came, and destroys itself. Outside of every callback of KJ.
    virtual void finish() = 0;

protected:
    ~promise_wait() = default;

private:
    friend class kj_loop;

    promise_wait* next_ = nullptr;  // of those that have come
};

/// KJ's event loop, driven by an Asio executor: promises of KJ and Cap'n Proto proceed in *pumps*, handlers
/// that it posts whenever there is something to do. No thread, no polling, no file descriptor of its own.
///
/// A loop is *present* on a thread while promises may be used there: KJ keeps one for each thread. That of a
/// strand is present in the strand's turns, on whichever thread they run; that of an `rpc::event_loop` on the
/// thread that made it. Thread safety: one thread at a time, the one on which it is present; `wake` from any.
///
/// Lifetime: held by all that use it. When the last lets go it must have nothing left to do.
class kj_loop : public std::enable_shared_from_this<kj_loop>, private kj::EventPort {
public:
    kj_loop(const kj_loop&) = delete;
    kj_loop& operator=(const kj_loop&) = delete;

    /// The one that is present on this thread: that of the strand whose turn this is, which is made at its
    /// first use, else that of an `rpc::event_loop`.
    ///
    /// Errors: throws `std::logic_error` where there is none.
    static kj_loop& here();

    /// Where completion handlers must run that touch promises of this loop.
    const asio::any_io_executor& get_executor() const noexcept { return executor_; }

    /// Makes it the present one of this thread, in place of the one that is, until `leave`. They may be
    /// nested.
    void enter();
    void leave() noexcept;

    /// Runs what is ready, a bounded number of events; then the handlers of promises that have come. Posts
    /// itself again where more is left. Harmless inside of itself.
    void pump();

    /// Sees to it that a pump comes soon.
    void pump_later() noexcept;

    /// Calls `subject.flush()` when the strand has done what there is to do, so that what belongs together
    /// goes in one system call; without a strand at the end of the next pump.
    void flush_soon(gathered_output& subject) noexcept;

    /// Knows of a wait from now on, so that it ends with the loop.
    void begin(promise_wait& wait) noexcept { waits_.keep(wait); }

    /// Lets a pump call the handler of a wait, outside of the callback of KJ that this is.
    void end(promise_wait& wait) noexcept;

    /// Destroys the waits that are left: their handlers are not called.
    void abandon_waits() noexcept;

    /// The present one of this thread if it is over and only stays for what is left to destroy.
    static kj_loop* lingering() noexcept;

    /// Runs what is ready on the present one, without its handlers; for what must not be left to be
    /// destroyed.
    static void drain_present() noexcept;

    /// Is not the present one of this thread any more, however often it was entered.
    void withdraw() noexcept;

protected:
    /// Who flushes: each pump, or the strand by `flush`.
    enum class flushing {
        by_pump,
        by_strand
    };

    kj_loop(asio::any_io_executor executor, flushing who);
    ~kj_loop() noexcept(false);

    void flush() noexcept;

    /// Has `run_posted` called in a turn of its own.
    virtual void post_pump() = 0;
    void run_posted();
    void forget_posted() noexcept { is_posted_ = false; }

    /// It carries nothing any more, until it begins again.
    void begin_again(asio::any_io_executor executor) noexcept;
    void set_over() noexcept { is_over_ = true; }
    bool is_over() const noexcept { return is_over_; }

    /// Runs what those arm that are destroyed, so that the loop may end.
    void drain() noexcept;

    // A pump takes so many events in a row, and so many rows, before others get their turn.
    static constexpr kj::uint events_in_a_row = 256;
    static constexpr int rows_of_a_pump = 4;

private:
    bool wait() override;
    bool poll() override;
    void setRunnable(bool runnable) override;
    void wake() const override;

    bool run_row();
    void finish_waits();

    asio::any_io_executor executor_;
    const flushing flushing_by_;
    bool is_pumping_ = false;
    bool is_posted_ = false;
    bool is_woken_ = false;
    bool is_over_ = false;
    stray_list waits_;
    promise_wait* ended_ = nullptr;
    promise_wait** ended_last_ = &ended_;
    gathered_output* flushes_ = nullptr;
    gathered_output* flushing_ = nullptr;  // those whose turn it is
    kj_loop* outer_ = nullptr;             // that was present before
    int depth_ = 0;                        // how often it was entered on top of itself
    kj::EventLoop loop_;
    std::optional<kj::WaitScope> present_;
};

}  // namespace costar::machine

namespace costar::rpc {

/// Lets promises of KJ and Cap'n Proto proceed on an Asio executor, without an engine.
///
/// From its construction to its end it is the event loop of the thread: `rpc::async_wait`, `rpc::connection`
/// and all of Cap'n Proto work there. An actor needs none, each strand makes its own at the first use.
///
/// Thread safety: made, used and destroyed by one thread, the only one that runs the executor's context and
/// that ends it. An executor that several threads run cannot carry it: run actors on it, whose strands can,
/// or give it a context of its own. Lifetime: waits that are left when it ends are over, and their handlers
/// destroyed without being called. Promises, capabilities and connections that coroutines and handlers hold
/// may stay until the context is destroyed, as they do where `io_context::stop()` or an exception has ended
/// it; nothing comes of them any more. All others end before it. Another event loop may follow. One for the
/// same context carries on what is left there; beside one for another context the first is not run again, as
/// its coroutines would touch promises of a loop that is not present. KJ's own loop may follow when the
/// context is destroyed. Errors: throws `std::logic_error` when the thread has an event loop already.
class event_loop {
public:
    explicit event_loop(asio::any_io_executor executor);
    event_loop(const event_loop&) = delete;
    event_loop& operator=(const event_loop&) = delete;
    ~event_loop();

private:
    class thread_loop;

    std::shared_ptr<thread_loop> loop_;
};

}  // namespace costar::rpc
