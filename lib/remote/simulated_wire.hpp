// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/byte_stream.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace costar::remote {

class simulated_hub;

/// A connection between two hosts of a simulated network: bytes on their way in both directions.
///
/// Thread safety: that of the simulation.
class simulated_wire {
public:
    using time = std::chrono::nanoseconds;
    static constexpr time never = time::max();

    /// Side 0 has dialled, side 1 has accepted.
    simulated_wire(simulated_hub& hub, std::string dialler, std::string acceptor, std::size_t cut_after);

    const std::string& host(int side) const noexcept { return hosts_[side]; }

    // As a side sees it
    // ------------------------------------------------------------------------------------------------------

    void read(int side, rpc::asio::mutable_buffer to, rpc::byte_stream::handler done);
    std::size_t write(int side, rpc::asio::const_buffer from, costar::error_code& failed);
    void shutdown(int side);
    void close(int side);

    // As the network sees it
    // --------------------------------------------------------------------------------------------------

    /// When something arrives that somebody waits for.
    time next() const noexcept;
    void happen();

    /// What was held back goes on.
    void heal();

    /// Both sides are told that it is cut.
    void reset();

    /// A host is gone: nothing comes from there, and what is sent there goes nowhere.
    void lose(const std::string& host);

private:
    struct parcel {
        time arrives;
        std::vector<char> bytes;  // none for the end
        std::size_t taken = 0;
    };

    /// What goes to one side.
    struct line {
        std::deque<parcel> under_way;
        bool is_over = false;
        time busy_until{0};
        time breaks = never;  // when the side is told that the connection is cut
        rpc::asio::mutable_buffer into;
        rpc::byte_stream::handler reader;
    };

    line& to(int side) noexcept { return lines_[side]; }
    line& from(int side) noexcept { return lines_[1 - side]; }
    time arrival(int to, std::size_t bytes);
    void append(int to, std::vector<char> bytes);
    void tell_of_cut(int side);
    void deliver(line& where);
    static time next_of(const line& where) noexcept;

    simulated_hub& hub_;
    const std::string hosts_[2];
    line lines_[2];
    bool is_closed_[2] = {false, false};
    bool is_lost_ = false;
    std::size_t cut_after_;
    std::size_t carried_ = 0;
};

/// One side of it.
class wire_end final : public rpc::byte_stream {
public:
    wire_end(std::shared_ptr<simulated_wire> wire, int side, rpc::asio::any_io_executor strand)
        : wire_(std::move(wire)), side_(side), strand_(std::move(strand))
    {}
    ~wire_end() override { wire_->close(side_); }

    rpc::asio::any_io_executor get_executor() override { return strand_; }
    void read_some(rpc::asio::mutable_buffer to, handler done) override
    {
        wire_->read(side_, to, std::move(done));
    }
    std::size_t try_write(rpc::asio::const_buffer from, costar::error_code& failed) override
    {
        return wire_->write(side_, from, failed);
    }
    void write_some(rpc::asio::const_buffer from, handler done) override
    {
        costar::error_code failed;
        const std::size_t written = wire_->write(side_, from, failed);
        done(failed, written);
    }
    void shutdown() noexcept override { wire_->shutdown(side_); }
    void close() noexcept override { wire_->close(side_); }

private:
    std::shared_ptr<simulated_wire> wire_;
    const int side_;
    rpc::asio::any_io_executor strand_;
};

}  // namespace costar::remote
