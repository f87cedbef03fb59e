// SPDX-License-Identifier: MIT

#pragma once

#include "payload.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace service {

/// Reads one request out of what a connection has sent: Beast's parser, and around it what HTTP asks of a
/// server.
///
/// Each byte counts against one of two limits, also those that become no part of the request: chunk sizes,
/// their extensions, trailer sections. Fields that nobody looks at here are not kept, nor is anything of a
/// trailer section.
class request_reader final : private boost::beast::http::basic_parser<true> {
public:
    struct limits {
        std::uint32_t header_bytes_max;
        std::uint64_t body_bytes_max;  ///< with its chunk sizes, extensions and trailer section
    };

    explicit request_reader(const limits& chosen);

    /// Takes what has arrived out of the buffer. True when it is a whole request, or one that is refused.
    bool take(boost::beast::flat_buffer& buffer);

    /// Why the request is refused; nothing for one that is granted. Whoever sent it may mean other borders
    /// between requests than this reader, so the connection has to be closed.
    const std::optional<refusal>& refused() const noexcept { return refused_; }

    /// The client is too slow, or it is too late.
    void refuse(http::status status, std::string reason);

    /// True once when the client waits for "100 Continue" before it sends the body.
    bool take_expectation() noexcept;

    /// Has anything arrived but an empty line?
    bool has_begun() const noexcept { return got_some(); }

    bool keep_alive() const { return !refused_ && basic_parser::keep_alive(); }

    /// Asks the client to go on with another protocol?
    bool is_upgrade() const { return basic_parser::upgrade(); }

    /// What was read; whole when it was not refused.
    request& message() noexcept { return message_; }

    /// The key by which the client finds out about the request later; empty without one.
    const std::string& idempotency_key() const noexcept { return key_; }

private:
    void on_request_impl(http::verb method, boost::beast::string_view method_text,
        boost::beast::string_view target, int version, boost::system::error_code& failure) override;
    void on_response_impl(int, boost::beast::string_view, int, boost::system::error_code&) override {}
    void on_field_impl(http::field name, boost::beast::string_view name_text, boost::beast::string_view value,
        boost::system::error_code& failure) override;
    void on_header_impl(boost::system::error_code& failure) override;
    void on_body_init_impl(
        const boost::optional<std::uint64_t>& length, boost::system::error_code& failure) override;
    std::size_t on_body_impl(boost::beast::string_view body, boost::system::error_code& failure) override;
    void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, boost::system::error_code&) override
    {}
    std::size_t on_chunk_body_impl(
        std::uint64_t, boost::beast::string_view body, boost::system::error_code& failure) override
    {
        return on_body_impl(body, failure);
    }
    void on_finish_impl(boost::system::error_code&) override {}

    /// Parses until there is nothing left, the request is whole, or it fails.
    boost::system::error_code parse(boost::beast::flat_buffer& buffer);
    /// Skips one empty line before the request. False when nothing else has arrived.
    bool skip_empty_line(boost::beast::flat_buffer& buffer);
    void check_size(std::size_t unparsed);
    void note_codings(std::string_view value);
    void refuse_bad_codings();
    void refuse_bad_host();

    limits limits_;
    request message_;
    std::optional<refusal> refused_;
    std::string host_;
    std::string origin_;
    std::string key_;
    std::uint64_t header_bytes_ = 0;
    std::uint64_t body_bytes_ = 0;
    std::uint16_t hosts_ = 0;
    std::uint16_t origins_ = 0;
    std::uint16_t keys_ = 0;
    bool has_empty_line_ = false;
    bool has_codings_ = false;
    bool ends_chunked_ = false;  // the last transfer coding so far
    bool has_bad_codings_ = false;
    bool has_other_codings_ = false;
    bool expects_continue_ = false;
};

/// Is it a host, perhaps with a port, as RFC 9110 asks of the Host field? One that names nobody is.
bool is_host(std::string_view text);

}  // namespace service
