// SPDX-License-Identifier: MIT

#include <costar/post/registry.hpp>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <fmt/format.h>

#include <cstring>
#include <functional>
#include <mutex>
#include <new>
#include <thread>

namespace costar::machine {

/// One allocation: the owner, and the characters of the name behind it.
class registry::entry {
public:
    static entry* make(std::string_view name, pid owner)
    {
        void* memory = ::operator new(sizeof(entry) + name.size());
        auto* made = ::new (memory) entry(name.size(), owner);
        std::memcpy(made + 1, name.data(), name.size());
        return made;
    }
    void destroy() noexcept { ::operator delete(this); }

    std::string_view name() const noexcept { return {reinterpret_cast<const char*>(this + 1), length_}; }
    pid owner() const noexcept { return owner_; }

private:
    entry(std::size_t length, pid owner) noexcept : owner_(owner), length_(length) {}

    pid owner_;
    std::size_t length_;
};

namespace {

std::string_view name_in(std::string_view name) noexcept
{
    return name;
}

template <class Entry>
std::string_view name_in(const Entry* known) noexcept
{
    return known->name();
}

struct text_hash {
    using is_transparent = void;
    template <class Text>
    std::size_t operator()(const Text& text) const noexcept
    {
        return std::hash<std::string_view>{}(name_in(text));
    }
};

struct text_equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const noexcept
    {
        return name_in(a) == name_in(b);
    }
};

}  // namespace

/// A part of the names with a lock of its own.
class registry::shard {
public:
    void insert(entry* added)
    {
        names.insert(added);
        if (!knows_owners)
            return;
        try {
            owners.insert({added->owner(), added});
        } catch (...) {
            forget_owners();
        }
    }

    void erase(entry& ended) noexcept
    {
        names.erase(ended.name());
        if (knows_owners)
            owners.erase(ended.owner());
    }

    const entry* find(pid owner)
    {
        if (!knows_owners) {
            owners.reserve(names.size());
            for (entry* each : names)
                owners.insert({each->owner(), each});
            knows_owners = true;
        }
        const auto found = owners.find(owner);
        return found != owners.end() ? found->second : nullptr;
    }

    std::mutex mutex;
    boost::unordered_flat_set<entry*, text_hash, text_equal> names;

private:
    void forget_owners() noexcept
    {
        owners.clear();
        knows_owners = false;
    }

    boost::unordered_flat_map<pid, entry*, std::hash<pid>> owners;
    bool knows_owners = false;  // from the first question on
};

registry::registry() : shards_(std::make_unique<shard[]>(shard_count)) {}

registry::~registry()
{
    for (std::size_t i = 0; i < shard_count; ++i)
        for (entry* left : shards_[i].names)
            left->destroy();
}

registry::shard& registry::shard_for(std::string_view name) const noexcept
{
    const std::size_t hash = std::hash<std::string_view>{}(name);
    return shards_[(hash >> 20) % shard_count];
}

registry::outcome registry::insert(std::string_view name, pid owner, const std::function<void(entry&)>& first)
{
    shard& part = shard_for(name);
    const std::lock_guard lock(part.mutex);
    if (const auto found = part.names.find(name); found != part.names.end())
        return {nullptr, (*found)->owner()};
    entry* made = entry::make(name, owner);
    try {
        part.insert(made);
    } catch (...) {
        made->destroy();
        throw;
    }
    if (first)
        first(*made);
    return {made, owner};
}

void registry::erase(entry& ended) noexcept
{
    shard& part = shard_for(ended.name());
    const std::lock_guard lock(part.mutex);
    part.erase(ended);
    ended.destroy();
}

std::optional<pid> registry::find(std::string_view name) const
{
    shard& part = shard_for(name);
    const std::lock_guard lock(part.mutex);
    if (const auto found = part.names.find(name); found != part.names.end())
        return (*found)->owner();
    return std::nullopt;
}

std::string_view registry::name_of(const entry& known) noexcept
{
    return known.name();
}

std::string registry::name_of(pid owner) const
{
    // A debugger that has stopped all threads may ask, while one of them holds a lock.
    constexpr int attempts = 1000;
    for (std::size_t i = 0; i < shard_count; ++i) {
        std::unique_lock lock(shards_[i].mutex, std::try_to_lock);
        for (int attempt = 0; !lock.owns_lock() && attempt < attempts; ++attempt) {
            std::this_thread::yield();
            static_cast<void>(lock.try_lock());
        }
        if (!lock.owns_lock())
            continue;
        if (const entry* found = shards_[i].find(owner))
            return std::string(found->name());
    }
    return {};
}

std::string registry::told(pid owner) const
{
    const std::string name = name_of(owner);
    return name.empty() ? owner.to_string() : fmt::format("{} ({})", name, owner);
}

std::size_t registry::size() const
{
    std::size_t total = 0;
    for (std::size_t i = 0; i < shard_count; ++i) {
        const std::lock_guard lock(shards_[i].mutex);
        total += shards_[i].names.size();
    }
    return total;
}

}  // namespace costar::machine
