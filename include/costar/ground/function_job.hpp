// SPDX-License-Identifier: MIT

#pragma once

#include <costar/ground/inbox.hpp>
#include <costar/ground/pool.hpp>

#include <new>
#include <type_traits>
#include <utility>

namespace costar::machine {

/// Function object in a job, allocated from the pool of the thread that posts it.
template <class Function>
class function_job final : public job {
public:
    static function_job* make(Function function)
    {
        void* memory = arena::current().allocate(sizeof(function_job));
        try {
            return ::new (memory) function_job(std::move(function));
        } catch (...) {
            arena::deallocate(memory, sizeof(function_job));
            throw;
        }
    }

private:
    explicit function_job(Function&& function) : job{nullptr, &invoke}, function_(std::move(function)) {}

    static void invoke(job* base, bool destroy_only)
    {
        auto* self = static_cast<function_job*>(base);
        if (destroy_only) {
            self->~function_job();
            arena::deallocate(self, sizeof(function_job));
            return;
        }
        Function function(std::move(self->function_));  // the memory may serve what the function posts
        self->~function_job();
        arena::deallocate(self, sizeof(function_job));
        std::move(function)();
    }

    Function function_;
};

/// A job that calls `function`.
template <class Function>
job& make_job(Function&& function)
{
    return *function_job<std::decay_t<Function>>::make(std::forward<Function>(function));
}

}  // namespace costar::machine
