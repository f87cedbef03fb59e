// SPDX-License-Identifier: MIT

#pragma once

#include <costar/post/pid.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace costar::remote {

/// A welcome tells of so many.
inline constexpr std::size_t others_max = 16;

/// A connection between this node and another one that has said who it is.
struct candidate {
    /// Who has the link over it.
    pid link;

    /// Drawn for it by the side that has dialled it, which both know; that side's name stands before it.
    std::uint64_t nonce = 0;
    std::string dialler;

    bool has_dialled = false;

    /// Turn in which it came into use; 0 while it is not.
    std::uint64_t used_since = 0;

    /// How many links are handing over to it what was sent over them: what comes past them waits.
    std::shared_ptr<std::atomic<std::uint32_t>> handing_over =
        std::make_shared<std::atomic<std::uint32_t>>(0);
};

/// The connections that there are to a node in one of its lives, of which one is used.
///
/// A connection comes into use by its dialler, and both sides come to the same, whatever crosses on the way:
/// who accepts says in its welcome which other connection of both it knows, and who has dialled lets go of
/// the new one if it has that one still, or if the other side dials too and comes first by name. So nothing
/// was ever sent over what is let go of, and what one side has lost without knowing is not what counts.
///
/// Thread safety: none; the book of peers has it behind its lock.
class election {
public:
    void enter(candidate one);

    /// What a welcome says of others: their nonces, that of the one in use first, then those of the ones that
    /// the peer has dialled before.
    std::vector<std::uint64_t> told_to(pid link) const;

    /// What a link of this side has heard when it is welcome.
    struct ballot {
        std::vector<std::uint64_t> told;  // by the welcome
        std::uint64_t asked = 0;          // turn in which this side has said hello
    };

    /// To whom a link that this side has dialled yields; null where it is to be used.
    const candidate* rival_of(pid link, const ballot& cast) const noexcept;

    /// The one that is in use, null for none.
    const candidate* used() const noexcept;
    const candidate* find(pid link) const noexcept;

    /// It is used from now on. Gives the links that were before it: what they had is dead, as the peer knows.
    std::vector<pid> use(pid link, std::uint64_t turn);

    void forget(pid link);
    bool empty() const noexcept { return all_.empty(); }

private:
    std::vector<candidate> all_;  // the first ones first
};

}  // namespace costar::remote
