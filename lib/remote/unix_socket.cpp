// SPDX-License-Identifier: MIT

#include "unix_socket.hpp"

#include "address.hpp"

#include <costar/core/strand_context.hpp>
#include <costar/core/use_task.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <utility>

namespace costar::remote {

using local = asio::local::stream_protocol;

namespace {

class unix_connection final : public new_connection {
public:
    unix_connection(local::socket socket, std::string peer) noexcept
        : socket_(std::move(socket)), peer_(std::move(peer))
    {
        // It does not grow by itself as that of TCP does, and several batches should find room.
        error_code ignored;
        socket_.set_option(asio::socket_base::send_buffer_size(1024 * 1024), ignored);
    }

    task<> open() override { co_return; }
    kj::Own<capnp::MessageStream> stream() override { return rpc::make_stream(std::move(socket_)); }
    std::string peer() const override { return peer_; }

private:
    local::socket socket_;
    const std::string peer_;
};

/// Two that start at once in one folder take turns: one must not take the other's new file for an old one.
class turn_in_folder {
public:
    explicit turn_in_folder(const std::string& path)
        : folder_(::open(path.substr(0, path.rfind('/') + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    {
        // Where the folder cannot be read, or somebody keeps it, it goes without.
        for (int i = 0; folder_ >= 0 && i < 200 && ::flock(folder_, LOCK_EX | LOCK_NB) != 0; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    turn_in_folder(const turn_in_folder&) = delete;
    turn_in_folder& operator=(const turn_in_folder&) = delete;
    ~turn_in_folder()
    {
        if (folder_ >= 0)
            ::close(folder_);
    }

private:
    const int folder_;
};

/// Nobody listens there any more.
bool is_abandoned(const std::string& path, const local::endpoint& where)
{
    struct stat found{};
    if (::lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode))
        return false;
    asio::io_context io;
    local::socket probe(io);
    error_code refused;
    probe.open({}, refused);
    if (!refused)
        probe.non_blocking(true, refused);
    if (!refused)
        probe.connect(where, refused);
    return refused == asio::error::connection_refused;
}

class unix_acceptor final : public acceptor {
public:
    unix_acceptor(asio::any_io_executor strand, std::string address)
        : acceptor_(strand), address_(std::move(address)), path_(unix_path(address_))
    {
        const turn_in_folder turn(path_);
        const local::endpoint where(path_);
        error_code failed;
        acceptor_.open();
        acceptor_.bind(where, failed);
        if (failed == asio::error::address_in_use && is_abandoned(path_, where)) {
            ::unlink(path_.c_str());
            acceptor_.bind(where, failed);
        }
        if (failed == asio::error::address_in_use)
            throw boost::system::system_error(failed,
                fmt::format("{} is there already, and no dead process has left it as a socket", path_));
        if (failed)
            throw boost::system::system_error(failed, address_);
        ::lstat(path_.c_str(), &made_);
        acceptor_.listen();
    }
    ~unix_acceptor() override { unix_acceptor::close(); }

    std::string address() const override { return address_; }
    bool is_wildcard() const override { return false; }
    task<std::unique_ptr<new_connection>> accept(asio::any_io_executor strand) override
    {
        local::socket socket(strand);
        co_await acceptor_.async_accept(socket, use_task);
        ucred who{};
        socklen_t size = sizeof who;
        const bool is_known = ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) == 0;
        co_return std::make_unique<unix_connection>(std::move(socket),
            is_known ? fmt::format("{} (process {} of user {})", address_, who.pid, who.uid) : address_);
    }

    void close() noexcept override
    {
        if (!acceptor_.is_open())
            return;
        struct stat there{};
        if (::lstat(path_.c_str(), &there) == 0 && there.st_ino == made_.st_ino &&
            there.st_dev == made_.st_dev)
            ::unlink(path_.c_str());
        error_code ignored;
        acceptor_.close(ignored);
    }

private:
    local::acceptor acceptor_;
    const std::string address_;
    const std::string path_;
    struct stat made_{};
};

}  // namespace

std::unique_ptr<acceptor> listen_at_unix_socket(const std::string& address, asio::any_io_executor strand)
{
    return std::make_unique<unix_acceptor>(std::move(strand), address);
}

task<std::unique_ptr<new_connection>> dial_unix_socket(std::string address)
{
    const local::endpoint where(unix_path(address));
    local::socket socket(machine::strand_context::current()->get_executor());
    co_await socket.async_connect(where, use_task);
    co_return std::make_unique<unix_connection>(std::move(socket), std::move(address));
}

}  // namespace costar::remote
