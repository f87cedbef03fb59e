// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/scheduler.hpp>
#include <costar/core/spawn.hpp>
#include <costar/core/task.hpp>
#include <costar/core/use_task.hpp>

#include <support/manual_strand.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace support {

/// A scheduler with a receiver for each strand.
class running {
public:
    explicit running(const costar::machine::scheduler_options& options) : strands_(std::in_place, options)
    {
        start();
    }
    explicit running(std::vector<asio::any_io_executor> borrowed)
        : strands_(std::in_place, std::move(borrowed), costar::machine::scheduler_options{})
    {
        start();
    }
    costar::machine::strand_context& operator[](std::size_t index) { return strands_->at(index); }
    costar::machine::scheduler& operator*() { return *strands_; }
    void end() { strands_.reset(); }

private:
    void start()
    {
        receivers_ = std::vector<recording_receiver>(strands_->size());
        std::vector<costar::machine::parcel_receiver*> all;
        for (recording_receiver& each : receivers_)
            all.push_back(&each);
        strands_->start(all);
    }

    std::vector<recording_receiver> receivers_;
    std::optional<costar::machine::scheduler> strands_;
};

/// With a thread for each of so many strands.
inline costar::machine::scheduler_options owned(std::size_t count, std::chrono::nanoseconds spin = {})
{
    costar::machine::scheduler_options options;
    options.strands = count;
    options.spin = spin;
    return options;
}

/// Runs a task on a strand of another thread and waits for it.
template <class T>
T get(costar::machine::strand_context& where, costar::task<T> body)
{
    return costar::async_spawn(where.get_executor(), std::move(body), asio::use_future).get();
}

/// Which thread runs it.
inline costar::task<std::thread::id> thread_of()
{
    co_return std::this_thread::get_id();
}

/// Serves one connection: five bytes come, and go back.
inline costar::task<std::string> echo_once(asio::ip::tcp::acceptor& acceptor)
{
    asio::ip::tcp::socket socket = co_await acceptor.async_accept(costar::use_task);
    std::string text(5, ' ');
    co_await asio::async_read(socket, asio::buffer(text), costar::use_task);
    co_await asio::async_write(socket, asio::buffer(text), costar::use_task);
    co_return text;
}

}  // namespace support
