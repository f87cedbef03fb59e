// SPDX-License-Identifier: MIT

#pragma once

#include <costar/post/pid.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace costar::machine {

/// Names of the actors of one engine.
///
/// Thread safety: from any thread; looking up and entering take a lock, so look a name up once and keep the
/// pid.
class registry {
public:
    /// A name and its owner; stays where it is until it is erased.
    class entry;

    registry();
    registry(const registry&) = delete;
    registry& operator=(const registry&) = delete;
    ~registry();

    /// What `insert` did: the new entry, or who has the name already.
    struct outcome {
        entry* made;
        pid holder;
    };

    /// Gives `name` to `owner` unless somebody has it. `first` is called before anybody else can find the
    /// name; it must not throw and not use the registry.
    outcome insert(std::string_view name, pid owner, const std::function<void(entry&)>& first = {});

    /// Frees the name. The entry is gone then.
    void erase(entry& ended) noexcept;

    /// Who has `name`.
    std::optional<pid> find(std::string_view name) const;

    static std::string_view name_of(const entry& known) noexcept;

    /// The name of an actor, empty where it has none. For errors and logs: the first use takes a look at all
    /// names, and from then on an owner is found as a name is.
    std::string name_of(pid owner) const;

    /// The name of an actor and its pid, "bank (1/$0-3-1)"; the pid alone where it has no name.
    std::string told(pid owner) const;

    std::size_t size() const;

private:
    class shard;

    static constexpr std::size_t shard_count = 16;
    shard& shard_for(std::string_view name) const noexcept;

    std::unique_ptr<shard[]> shards_;
};

}  // namespace costar::machine
