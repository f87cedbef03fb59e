// SPDX-License-Identifier: MIT

#pragma once

#include <costar/post/pid.hpp>
#include <costar/remote/kinds.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace costar::remote {

class residents;

}  // namespace costar::remote

namespace costar::machine {

/// Ends its entry in the books when nobody holds it any more: neither the actor nor what may begin it anew.
class tenant {
public:
    tenant(std::shared_ptr<remote::residents> book, std::string peer)
        : book_(std::move(book)), peer_(std::move(peer))
    {}
    tenant(const tenant&) = delete;
    tenant& operator=(const tenant&) = delete;
    ~tenant();

private:
    friend class remote::residents;

    const std::shared_ptr<remote::residents> book_;
    const std::string peer_;
    pid who_;
    bool is_counted_ = true;
};

}  // namespace costar::machine

namespace costar::remote {

/// What other nodes may have spawned here, and what they had.
///
/// Thread safety: any thread. Lifetime: shared by the node and by the actors that stand in it.
class residents : public std::enable_shared_from_this<residents> {
public:
    residents(kinds offered, std::size_t spawned_max)
        : offered_(std::move(offered)), spawned_max_(spawned_max)
    {}

    void offer(std::string name, std::shared_ptr<const machine::kind> added);
    std::shared_ptr<const machine::kind> kind(std::string_view name) const;

    /// Makes room for an actor of a node with this name; null where there is none.
    std::shared_ptr<machine::tenant> admit(const std::string& peer);

    /// It has been spawned for the node with this number.
    void enter(
        machine::tenant& one, pid who, std::shared_ptr<const machine::kind> kind, std::uint32_t number);

    /// May a node stop this actor because of how it was spawned?
    bool may_be_stopped(pid who, std::uint32_t number, std::string_view peer) const;

    /// Is it the first time that this node is refused this?
    bool notes_refusal(std::uint32_t number, const std::string& what);

private:
    friend class machine::tenant;

    struct entry {
        std::shared_ptr<const machine::kind> kind;
        std::uint32_t number = 0;
    };

    void leave(const machine::tenant& one) noexcept;

    mutable std::mutex mutex_;
    kinds offered_;
    std::map<std::string, std::shared_ptr<const machine::kind>, std::less<>> added_;
    const std::size_t spawned_max_;
    std::map<std::string, std::size_t> counts_;  // by the names of nodes
    std::unordered_map<pid, entry> entries_;
    std::set<std::pair<std::uint32_t, std::string>> refusals_;
};

}  // namespace costar::remote
