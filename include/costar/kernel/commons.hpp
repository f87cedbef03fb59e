// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/error.hpp>
#include <costar/core/strand.hpp>
#include <costar/kernel/event_stream.hpp>
#include <costar/kernel/supervision.hpp>
#include <costar/post/dead_letter_log.hpp>
#include <costar/post/interceptor.hpp>
#include <costar/post/registry.hpp>
#include <costar/post/strand_bound.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace costar::machine {

class cell;

}  // namespace costar::machine

namespace costar {

class context;
class engine;
class middleware;

}  // namespace costar

namespace costar::machine {

class gateway;
class offload_pool;
class station;

/// What the floor above lays over the cells of an engine, so that actors see themselves.
///
/// Thread safety: on the strand of the cell.
class cell_faces {
public:
    /// The face of a cell, for middleware.
    virtual context& face_of(cell& self) const noexcept = 0;

protected:
    ~cell_faces() = default;
};

/// What the stations of one engine share.
struct commons {
    std::uint32_t node = 0;
    std::string node_name;
    registry names;
    event_stream events;
    std::vector<station*> stations;
    std::chrono::nanoseconds ask_timeout = std::chrono::seconds(5);
    std::shared_ptr<const supervisor> guardian;      // of actors without parent
    std::vector<std::shared_ptr<middleware>> chain;  // of all actors
    dead_letter_log letters;
    std::uint32_t last_generation = (UINT32_C(1) << 31) - 1;  // a slot that has had it is not used again
    std::atomic<std::uint32_t> next_strand{0};
    std::atomic<bool> closing{false};
    const cell_faces* faces = nullptr;  // set before the first actor is born
    message_interceptor* interceptor = nullptr;
    std::atomic<gateway*> way_out{nullptr};  // to other nodes; set once
    engine* owner = nullptr;
    offload_pool* offload = nullptr;

    /// Throws the `std::logic_error` of a message that belongs to a strand and is for an actor of another
    /// one. Thread safety: from any thread.
    template <class Message>
    void check_way(pid to, const Message& sent) const
    {
        if constexpr (may_be_strand_bound<Message>)
            if (const strand_context* home = home_strand(sent))
                check_way(to, *home);
    }
    void check_way(pid to, const strand_context& home) const;
};

}  // namespace costar::machine

namespace costar {

/// The name of a spawn is in use; says by whom.
class name_in_use : public error {
public:
    name_in_use(std::string_view name, pid holder);

    pid holder() const noexcept { return holder_; }

private:
    pid holder_;
};

}  // namespace costar

namespace costar::machine {

/// Numbers the engines of this process and the nodes that it hears of, so that a pid of one is a stranger to
/// the others. Thread safety: any thread.
std::uint32_t next_node_number() noexcept;

/// The text of an exception.
std::string text_of(const std::exception_ptr& failure);

}  // namespace costar::machine
