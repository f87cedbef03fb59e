// SPDX-License-Identifier: MIT

#pragma once

#include <costar/post/pid.hpp>

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace costar::remote {

/// Names of actors of other nodes, as links have found them. The link that has found one watches it, and
/// forgets it when it ends.
///
/// Thread safety: any thread.
class found_names {
public:
    static constexpr std::size_t names_max = 65'536;

    /// False where there are too many, or it is known.
    bool enter(pid link, const std::string& name, pid who);

    /// Who was found by this link; nobody when that is not known.
    pid find(pid link, const std::string& name) const;

    /// Empty when it is not known.
    std::string name_of(pid who) const;

    void forget(pid who);
    void forget_link(pid link);

private:
    using names = std::map<std::pair<pid, std::string>, pid>;

    mutable std::mutex mutex_;
    names by_name_;
    std::multimap<pid, names::iterator> by_actor_;  // over two links, one may be known twice
};

}  // namespace costar::remote
