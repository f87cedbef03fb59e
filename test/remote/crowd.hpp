// SPDX-License-Identifier: MIT

#pragma once

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <utility>

namespace support {

/// A process that connects to a port of this machine as often as it is told, and says nothing. Its
/// descriptors are its own. It ends with this object.
///
/// It is made before the threads of a node.
class crowd {
public:
    crowd()
    {
        int to[2];
        int from[2];
        if (::pipe(to) != 0 || ::pipe(from) != 0)
            throw std::runtime_error("there are no pipes");
        process_ = ::fork();
        if (process_ == 0) {
            ::close(to[1]);
            ::close(from[0]);
            connect_as_told(to[0], from[1]);
        }
        ::close(to[0]);
        ::close(from[1]);
        orders_ = to[1];
        done_ = from[0];
    }
    crowd(const crowd&) = delete;
    crowd& operator=(const crowd&) = delete;
    ~crowd()
    {
        ::close(orders_);
        ::close(done_);
        ::waitpid(process_, nullptr, 0);
    }

    /// Gives how many more have been connected: fewer where the system has no more.
    std::uint32_t connect(std::uint16_t port, std::uint32_t count)
    {
        const order given{port, count};
        std::uint32_t made = 0;
        if (::write(orders_, &given, sizeof given) != sizeof given ||
            ::read(done_, &made, sizeof made) != sizeof made)
            throw std::runtime_error("the crowd has gone");
        return made;
    }

private:
    struct order {
        std::uint32_t port;
        std::uint32_t count;
    };

    /// In the process of its own, which has no memory to ask for: it may have been made beside threads.
    [[noreturn]] static void connect_as_told(int orders, int done) noexcept
    {
        order given{};
        while (::read(orders, &given, sizeof given) == sizeof given) {
            std::uint32_t made = 0;
            while (made < given.count && connect_once(given.port))
                ++made;
            if (::write(done, &made, sizeof made) != sizeof made)
                break;
        }
        ::_exit(0);
    }

    static bool connect_once(std::uint32_t port) noexcept
    {
        const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_port = htons(static_cast<std::uint16_t>(port));
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return socket >= 0 && ::connect(socket, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0;
    }

    pid_t process_ = -1;
    int orders_ = -1;
    int done_ = -1;
};

/// How many descriptors this process may have, until it ends.
class descriptor_limit {
public:
    explicit descriptor_limit(std::uint64_t wanted)
    {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit now = before_;
        now.rlim_cur = wanted < before_.rlim_max ? static_cast<rlim_t>(wanted) : before_.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &now);
        given_ = now.rlim_cur;
    }
    descriptor_limit(const descriptor_limit&) = delete;
    descriptor_limit& operator=(const descriptor_limit&) = delete;
    ~descriptor_limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

    std::uint64_t given() const noexcept { return given_; }

private:
    rlimit before_{};
    std::uint64_t given_ = 0;
};

}  // namespace support
