// SPDX-License-Identifier: MIT

#pragma once

#include <costar/remote/tls.hpp>

#include <boost/asio/ssl/context.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace costar::remote {

/// Certificates and keys as they stood in their files at one time, read and found to fit.
///
/// Thread safety: any thread; made once, and then connections are made by it.
class certificates {
public:
    using time = std::chrono::system_clock::time_point;

    /// Errors: throws `std::invalid_argument`, which names the file.
    explicit certificates(const tls_options& options);

    /// What a side shows, and whom it believes.
    asio::ssl::context& serving() noexcept { return serving_; }
    asio::ssl::context& dialling() noexcept { return dialling_; }

    /// A certificate that will expire, or has.
    struct term {
        std::string file;
        std::string subject;
        time end;
    };
    const std::vector<term>& terms() const noexcept { return terms_; }

private:
    asio::ssl::context serving_;
    asio::ssl::context dialling_;
    std::vector<term> terms_;
};

/// Differs when one of the files has changed.
std::string stamp_of(const tls_options& options);

/// The names in the certificate of the peer; those of hosts in small letters.
std::vector<std::string> names_of_peer(SSL* connection);

/// Has the handshake check that the certificate of the peer is for a host.
void expect_host(SSL* connection, std::string host);

/// Tells the peer which host is wanted, unless that is an IP address.
void tell_host(SSL* connection, const std::string& host);

/// Has the peer said that it does not trust this side?
bool is_alert(const error_code& failure);

/// A sentence why a handshake has failed. `host` is empty where the peer has dialled.
std::string why_failed(
    SSL* connection, const error_code& failure, const std::string& peer, const std::string& host);

}  // namespace costar::remote
