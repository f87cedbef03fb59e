// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/requirements.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <typeindex>
#include <utility>

namespace costar {

/// Objects that an engine holds for those who use it, one of each type: a pool of database connections, a
/// registry of metrics.
///
/// An actor needs none of its own: what belongs to it lies in its frame or its object.
///
/// Thread safety: any thread; the objects say for themselves what they stand. Lifetime: as the engine, or as
/// long as somebody keeps the pointer. Cost: a lock and a look-up, so keep the pointer.
class extensions {
public:
    extensions() = default;
    extensions(const extensions&) = delete;
    extensions& operator=(const extensions&) = delete;
    ~extensions() { std::exchange(all_, {}).clear(); }  // who looks for others as it ends finds none any more

    /// Makes the object of type `T`, in place of the one that is there.
    template <class T, class... Args>
    std::shared_ptr<T> emplace(Args&&... args)
    {
        auto made = std::make_shared<T>(std::forward<Args>(args)...);
        std::shared_ptr<void> kept = made;
        const std::unique_lock lock(mutex_);
        all_[typeid(T)].swap(kept);
        return made;  // what was there ends behind the lock: its destructor may come back here
    }

    /// The object of type `T`, null when there is none.
    template <class T>
    std::shared_ptr<T> find() const
    {
        const std::shared_lock lock(mutex_);
        const auto found = all_.find(typeid(T));
        return found == all_.end() ? nullptr : std::static_pointer_cast<T>(found->second);
    }

private:
    mutable std::shared_mutex mutex_;
    std::map<std::type_index, std::shared_ptr<void>> all_;
};

}  // namespace costar
