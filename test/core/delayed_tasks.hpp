// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/result.hpp>
#include <costar/core/task.hpp>
#include <costar/core/timer.hpp>

#include <chrono>
#include <exception>
#include <stdexcept>

namespace support {

template <class T>
costar::task<T> later(std::chrono::nanoseconds delay, T value)
{
    co_await costar::sleep_for(delay);
    co_return value;
}

inline costar::task<> pause(std::chrono::nanoseconds delay)
{
    co_await costar::sleep_for(delay);
}

inline costar::task<int> fail_after(std::chrono::nanoseconds delay)
{
    co_await costar::sleep_for(delay);
    throw std::runtime_error("failed");
}

/// Gives a value though it is cancelled.
inline costar::task<int> gives_anyway(std::chrono::nanoseconds delay, int value)
{
    static_cast<void>(co_await costar::as_result(costar::sleep_for(delay)));
    co_return value;
}

/// Notes when it has ended, which a cancelled one does late.
inline costar::task<> lingering(std::chrono::nanoseconds delay, bool& ended)
{
    std::exception_ptr failure;
    try {
        co_await costar::sleep_for(delay);
    } catch (...) {
        failure = std::current_exception();
    }
    for (int i = 0; i < 10; ++i)
        co_await costar::yield();
    ended = true;
    if (failure)
        std::rethrow_exception(failure);
}

}  // namespace support
