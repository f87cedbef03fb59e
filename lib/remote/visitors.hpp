// SPDX-License-Identifier: MIT

#pragma once

#include <costar/post/pid.hpp>

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace costar::remote {

/// What a client may have this node keep.
inline constexpr std::size_t client_actors_max = 10'000;
inline constexpr std::size_t client_requests_max = 10'000;

/// Bytes of calls that were taken and not answered, above which nothing more is read: a client's requests are
/// refused before, so this is reached by calls to services of the program alone.
inline constexpr std::size_t client_calls_bytes_max = std::size_t{128} * 1024 * 1024;

/// The connections that others have dialled, each in a place of its own. Where all places are taken, who has
/// said nothing makes room for who comes. Programs that are no nodes have three quarters at most, so that
/// nodes find room beside any number of them.
///
/// Thread safety: any thread.
class visitors {
public:
    class place;

    explicit visitors(std::size_t places) noexcept : places_(places) {}
    visitors(const visitors&) = delete;
    visitors& operator=(const visitors&) = delete;

    std::size_t places() const noexcept { return places_; }

    /// A place for the connection from an address, taken until it is destroyed; null where there is none.
    std::shared_ptr<place> take(std::string address);

    /// One who is to leave.
    struct dismissed {
        pid who;
        std::string address;
    };

    /// Of those that have not said who they are, the one that came first; nothing where all have.
    std::optional<dismissed> dismiss();

private:
    std::size_t clients_max() const noexcept { return places_ - places_ / 4; }

    const std::size_t places_;
    std::mutex mutex_;
    std::size_t taken_ = 0;
    std::size_t clients_ = 0;
    std::list<place*> silent_;  // the one that came first in front
};

/// The place of one connection. Lifetime: it ends before those it is one of.
class visitors::place {
public:
    place(visitors& all, std::string address) noexcept : all_(all), address_(std::move(address)) {}
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place();

    /// The actor that has the connection. It may be dismissed from now on.
    void belongs_to(pid who);

    /// It has said who it is, and stays. False where it has to leave, and for one program too many.
    bool becomes_node();
    bool becomes_client();

private:
    friend visitors;

    enum class state {
        /// It has no place.
        outside,
        /// It has come, and nobody has it yet.
        arriving,
        /// It has said nothing that tells who it is.
        silent,
        node,
        client,
        dismissed,
    };

    void become(state next) noexcept;

    visitors& all_;
    const std::string address_;
    pid who_{};
    state state_ = state::outside;
    std::list<place*>::iterator at_{};
};

}  // namespace costar::remote
