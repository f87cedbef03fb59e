// SPDX-License-Identifier: MIT

#include <costar/remote/tls.hpp>

#include "certificates.hpp"
#include "tcp.hpp"

#include <costar/core/log.hpp>
#include <costar/core/use_task.hpp>
#include <costar/core/with_timeout.hpp>
#include <costar/rpc/tls_stream.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

namespace costar::remote {

using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

class tls_connection final : public new_connection {
public:
    /// `host` is empty where the peer has dialled.
    tls_connection(tcp::socket socket, asio::ssl::context& context, std::string host, bool checks_host)
        : stream_(std::move(socket), context), peer_(peer_of(stream_.next_layer())), host_(std::move(host))
    {
        if (host_.empty())
            return;
        tell_host(stream_.native_handle(), host_);
        if (checks_host)
            expect_host(stream_.native_handle(), host_);
    }

    task<> open() override
    {
        const auto side = host_.empty() ? asio::ssl::stream_base::server : asio::ssl::stream_base::client;
        error_code failed;
        try {
            co_await stream_.async_handshake(side, use_task);
        } catch (const boost::system::system_error& failure) {
            if (is_cancellation(failure.code()))
                throw;
            failed = failure.code();
        }
        if (!failed) {
            names_ = names_of_peer(stream_.native_handle());
            co_return;
        }
        std::string why = why_failed(stream_.native_handle(), failed, peer_, host_);
        const bool has_just_gone = host_.empty() && failed.category() != asio::error::get_ssl_category();
        if (has_just_gone)
            throw std::runtime_error(why);
        if (host_.empty())
            co_await part();
        throw not_trusted(why, is_alert(failed));
    }

    void keep_alive(std::chrono::nanoseconds silence_max) override
    {
        remote::keep_alive(stream_.next_layer(), silence_max);
    }

    kj::Own<capnp::MessageStream> stream() override { return rpc::make_stream(std::move(stream_)); }
    std::string peer() const override { return peer_; }
    std::optional<std::vector<std::string>> proven_names() const override { return names_; }

private:
    /// A peer that has sent on already reads why it is not let in before it finds the connection gone. It is
    /// not waited for long, and not at all by who is told to stop.
    task<> part()
    {
        try {
            co_await with_timeout(1s, read_to_end());
        } catch (const boost::system::system_error&) {
            // It has gone, or its time is over.
        }
    }

    task<> read_to_end()
    {
        stream_.next_layer().shutdown(asio::socket_base::shutdown_send);
        std::array<char, 4096> ignored{};
        for (int i = 0; i < 16; ++i)
            co_await stream_.next_layer().async_read_some(asio::buffer(ignored), use_task);
    }

    asio::ssl::stream<tcp::socket> stream_;
    const std::string peer_;
    const std::string host_;
    std::vector<std::string> names_;
};

class tls_network;

class tls_acceptor final : public acceptor {
public:
    tls_acceptor(
        std::shared_ptr<tls_network> network, const asio::any_io_executor& strand, const tcp::endpoint& where)
        : network_(std::move(network)), acceptor_(strand, where)
    {}

    std::string address() const override { return text_of(acceptor_.local_endpoint()); }
    bool is_wildcard() const override { return acceptor_.local_endpoint().address().is_unspecified(); }
    task<std::unique_ptr<new_connection>> accept(asio::any_io_executor strand) override;
    void close() noexcept override
    {
        error_code ignored;
        acceptor_.close(ignored);
    }

private:
    const std::shared_ptr<tls_network> network_;
    tcp::acceptor acceptor_;
};

class tls_network final : public transport, public std::enable_shared_from_this<tls_network> {
public:
    explicit tls_network(tls_options options)
        : options_(std::move(options)),
          stamp_(stamp_of(options_)),
          current_(std::make_shared<certificates>(options_))
    {
        if (!options_.checks_host)
            log(log_level::warning,
                "TLS: the certificate of a node that is dialled may be for another host, since "
                "`checks_host` is false");
    }

    std::unique_ptr<acceptor> listen(const std::string& address, asio::any_io_executor strand) override
    {
        refuse_unix(address);
        return std::make_unique<tls_acceptor>(
            shared_from_this(), strand, endpoint_to_listen_at(address, strand));
    }

    task<std::unique_ptr<new_connection>> dial(std::string address) override
    {
        refuse_unix(address);
        host_and_port where = parse_address(address);
        tcp::socket socket = co_await connect_tcp(where);
        co_return std::make_unique<tls_connection>(
            std::move(socket), current()->dialling(), std::move(where.host), options_.checks_host);
    }

    std::chrono::nanoseconds look_interval() const override { return options_.look_interval; }

    std::vector<certificate_notice> look(std::uint64_t& seen) override
    {
        const std::lock_guard lock(mutex_);
        read_again();
        check_terms(std::chrono::system_clock::now());
        const std::uint64_t first = last_notice_ - notices_.size();
        std::vector<certificate_notice> news;
        for (std::size_t i = 0; i < notices_.size(); ++i)
            if (first + i + 1 > seen)
                news.push_back(notices_[i]);
        seen = last_notice_;
        return news;
    }

    /// What new connections go by.
    std::shared_ptr<certificates> current()
    {
        const std::lock_guard lock(mutex_);
        read_again();
        return current_;
    }

private:
    using kind = certificate_notice::kind;

    static void refuse_unix(const std::string& address)
    {
        if (is_unix_address(address))
            throw std::invalid_argument(
                fmt::format("{} stays on this machine and needs no TLS: use `tcp_transport`", address));
    }

    void read_again()
    {
        std::string stamp = stamp_of(options_);
        if (stamp == stamp_)
            return;
        stamp_ = std::move(stamp);
        try {
            current_ = std::make_shared<certificates>(options_);
            told_.clear();
            tell(kind::reloaded, options_.certificate,
                fmt::format("the certificates have changed: new connections go by {}", options_.certificate));
        } catch (const std::exception& failure) {
            tell(kind::not_reloaded, options_.certificate,
                fmt::format(
                    "the files of certificates have changed, and what stood in them before goes on: {}",
                    failure.what()));
        }
    }

    /// Once a day for each certificate.
    void check_terms(certificates::time now)
    {
        for (const certificates::term& each : current_->terms()) {
            const bool has_expired = each.end <= now;
            if (!has_expired && each.end - now > options_.expiry_warning)
                continue;
            const std::pair key(each.file, each.subject);
            const auto told = told_.find(key);
            if (told != told_.end() && now - told->second.at < 24h && told->second.as_expired == has_expired)
                continue;
            told_.insert_or_assign(key, telling{now, has_expired});
            tell(has_expired ? kind::expired : kind::expires_soon, each.file,
                fmt::format("the certificate of {} in {} {} {:%Y-%m-%d %H:%M:%S} UTC", each.subject,
                    each.file, has_expired ? "has expired:" : "expires",
                    fmt::gmtime(std::chrono::system_clock::to_time_t(each.end))));
        }
    }

    void tell(kind what, const std::string& file, std::string text)
    {
        constexpr std::size_t kept = 64;
        notices_.push_back({what, file, "TLS: " + std::move(text)});
        ++last_notice_;
        if (notices_.size() > kept)
            notices_.pop_front();
    }

    struct telling {
        certificates::time at;
        bool as_expired = false;
    };

    const tls_options options_;
    std::mutex mutex_;
    std::string stamp_;
    std::shared_ptr<certificates> current_;
    std::deque<certificate_notice> notices_;
    std::uint64_t last_notice_ = 0;
    std::map<std::pair<std::string, std::string>, telling> told_;
};

task<std::unique_ptr<new_connection>> tls_acceptor::accept(asio::any_io_executor strand)
{
    tcp::socket socket(strand);
    co_await acceptor_.async_accept(socket, use_task);
    co_return std::make_unique<tls_connection>(
        std::move(socket), network_->current()->serving(), std::string(), false);
}

/// Nobody can mean such options.
void check(const tls_options& options)
{
    const auto refuse = [](const char* why) {
        throw std::invalid_argument(fmt::format("remote::tls_options::{}", why));
    };
    if (options.dialling_certificate.empty() != options.dialling_key.empty())
        refuse("dialling_certificate and dialling_key are given both or not at all");
    if (options.expiry_warning < 0ns)
        refuse("expiry_warning must not be less than 0");
    if (options.look_interval < 0ns)
        refuse("look_interval must not be less than 0; 0 is to look for new connections alone");
}

}  // namespace

std::shared_ptr<transport> tls_transport(tls_options options)
{
    check(options);
    return std::make_shared<tls_network>(std::move(options));
}

}  // namespace costar::remote
