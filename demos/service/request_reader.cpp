// SPDX-License-Identifier: MIT

#include "request_reader.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/url/authority_view.hpp>
#include <boost/url/parse.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace service {

namespace beast = boost::beast;
using boost::system::error_code;

namespace {

/// The last chunk and the end of the trailer section behind it.
constexpr std::size_t shortest_chunked_end = 5;

constexpr std::size_t idempotency_key_max = 64;

std::string_view view_of(beast::string_view text) noexcept
{
    return {text.data(), text.size()};
}

/// The methods of HTTP itself. A target may not allow them; the others are unknown to all of them.
bool is_known(http::verb method) noexcept
{
    switch (method) {
    case http::verb::get:
    case http::verb::head:
    case http::verb::post:
    case http::verb::put:
    case http::verb::delete_:
    case http::verb::options:
    case http::verb::trace:
    case http::verb::patch:
        return true;
    default:
        return false;
    }
}

/// Does the first line end with a version, though not with one that is spoken here?
bool has_other_version(std::string_view text) noexcept
{
    const std::string_view line = text.substr(0, text.find("\r\n"));
    constexpr std::string_view form = " HTTP/0.0";
    if (line.size() < form.size() || line.ends_with("/1.0") || line.ends_with("/1.1"))
        return false;
    return std::equal(form.begin(), form.end(), line.end() - form.size(), [](char wanted, char given) {
        return wanted == '0' ? given >= '0' && given <= '9' : wanted == given;
    });
}

http::status status_for(const error_code& failure) noexcept
{
    if (failure == http::error::body_limit)
        return http::status::payload_too_large;
    if (failure == http::error::header_limit)
        return http::status::request_header_fields_too_large;
    return http::status::bad_request;
}

/// The letters of most hosts: letters, digits, dots and dashes.
constexpr std::array<bool, 256> plain_in_host = [] {
    std::array<bool, 256> plain{};
    for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."))
        plain[static_cast<unsigned char>(c)] = true;
    return plain;
}();

bool is_plain_in_host(char c) noexcept
{
    return plain_in_host[static_cast<unsigned char>(c)];
}

/// The serialization of an origin is its scheme and what the Host field of a request to it says.
bool is_origin_of(std::string_view origin, std::string_view host) noexcept
{
    for (const std::string_view scheme : {"http://", "https://"})
        if (origin.starts_with(scheme) && beast::iequals(origin.substr(scheme.size()), host))
            return true;
    return false;
}

/// A key as the structured field that it is, "between quotation marks", or bare. Empty for neither.
std::string read_key(std::string_view value)
{
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        value = value.substr(1, value.size() - 2);
    const auto fits = [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != ','; };
    if (value.size() > idempotency_key_max || !std::all_of(value.begin(), value.end(), fits))
        return {};
    return std::string(value);
}

}  // namespace

bool is_host(std::string_view text)
{
    const std::size_t colon = text.rfind(':');
    const std::string_view name = text.substr(0, colon);
    const std::string_view port = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (std::all_of(name.begin(), name.end(), is_plain_in_host) && port.size() <= 5 &&
        std::all_of(port.begin(), port.end(), is_digit))
        return true;
    const auto authority = boost::urls::parse_authority(text);  // addresses in brackets, rare letters
    return authority && !authority->has_userinfo();
}

request_reader::request_reader(const limits& chosen) : limits_(chosen)
{
    header_limit(chosen.header_bytes_max);
    body_limit(chosen.body_bytes_max);
}

bool request_reader::take(beast::flat_buffer& buffer)
{
    if (!got_some() && !skip_empty_line(buffer))
        return false;
    const error_code failure = parse(buffer);
    if (failure && !refused_) {
        http::status status = status_for(failure);
        const auto left = static_cast<const char*>(buffer.data().data());
        if (failure == http::error::bad_version && has_other_version({left, buffer.size()}))
            status = http::status::http_version_not_supported;
        refuse(status, failure.message());
    }
    if (!refused_)
        check_size(is_done() ? 0 : buffer.size());
    return refused_ || is_done();
}

void request_reader::refuse(http::status status, std::string reason)
{
    refused_.emplace(status, std::move(reason));
}

bool request_reader::take_expectation() noexcept
{
    const bool waits = expects_continue_ && is_header_done() && body_bytes_ == 0;
    if (waits)
        expects_continue_ = false;
    return waits;
}

error_code request_reader::parse(beast::flat_buffer& buffer)
{
    error_code failure;
    while (!failure && !is_done() && buffer.size() != 0) {
        const bool is_in_body = is_header_done();
        if (is_in_body && chunked() && buffer.size() < shortest_chunked_end)
            break;  // the parser wants to see an end that begins in one piece
        const std::size_t taken = put(buffer.data(), failure);
        buffer.consume(taken);
        (is_in_body ? body_bytes_ : header_bytes_) += taken;
    }
    return failure == http::error::need_more ? error_code() : failure;
}

bool request_reader::skip_empty_line(beast::flat_buffer& buffer)
{
    const auto text = static_cast<const char*>(buffer.data().data());
    if (buffer.size() != 0 && text[0] == '\r' && !has_empty_line_) {
        if (buffer.size() == 1)
            return false;
        if (text[1] == '\n') {
            buffer.consume(2);
            has_empty_line_ = true;
        }
    }
    return buffer.size() != 0;
}

void request_reader::check_size(std::size_t unparsed)
{
    const bool is_in_body = is_header_done();
    if (header_bytes_ + (is_in_body ? 0 : unparsed) > limits_.header_bytes_max)
        refuse(http::status::request_header_fields_too_large, "the header section is too long");
    else if (is_in_body && body_bytes_ + unparsed > limits_.body_bytes_max)
        refuse(http::status::payload_too_large, "the body is too long, with its chunk sizes and trailers");
}

void request_reader::on_request_impl(http::verb method, beast::string_view method_text,
    beast::string_view target, int version, error_code& failure)
{
    if (!is_known(method)) {
        refuse(http::status::not_implemented, "there is no method " + std::string(method_text));
        failure = http::error::bad_method;
        return;
    }
    message_.method(method);
    message_.target(target);
    message_.version(static_cast<unsigned>(version));
}

void request_reader::on_field_impl(
    http::field name, beast::string_view name_text, beast::string_view value, error_code&)
{
    if (is_header_done())
        return;  // a trailer section has no say in how its request is handled
    switch (name) {
    case http::field::host:
        ++hosts_;
        host_ = view_of(value);
        break;
    case http::field::transfer_encoding:
        note_codings(view_of(value));
        break;
    case http::field::expect:
        expects_continue_ = message_.version() >= 11 && beast::iequals(value, "100-continue");
        break;
    case http::field::origin:
        ++origins_;
        origin_ = view_of(value);
        break;
    case http::field::connection:
    case http::field::upgrade:
    case http::field::sec_websocket_key:
    case http::field::sec_websocket_version:
    case http::field::sec_websocket_extensions:
        message_.insert(name, name_text, value);
        break;
    default:
        if (name == http::field::unknown && beast::iequals(name_text, "idempotency-key")) {
            ++keys_;
            key_ = read_key(view_of(value));
        }
    }
}

void request_reader::on_header_impl(error_code& failure)
{
    refuse_bad_codings();
    refuse_bad_host();
    if (!refused_ && keys_ != 0 && (keys_ > 1 || key_.empty()))
        refuse(
            http::status::bad_request, "an Idempotency-Key has 1 to 64 characters, and there is one at most");
    if (!refused_ && origins_ != 0 && (origins_ > 1 || !is_origin_of(origin_, host_)))
        refuse(http::status::forbidden, "pages of another origin may not do that");
    if (refused_)
        failure = http::error::bad_field;
    else if (is_upgrade())
        message_.insert(http::field::host, host_);
}

void request_reader::on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&)
{
    if (length)
        message_.body().reserve(static_cast<std::size_t>(*length));  // not above the limit, which was checked
}

std::size_t request_reader::on_body_impl(beast::string_view body, error_code&)
{
    message_.body().append(body.data(), body.size());
    return body.size();
}

void request_reader::note_codings(std::string_view value)
{
    has_codings_ = true;
    const http::opt_token_list codings(value);
    has_bad_codings_ |= !http::validate_list(codings);
    for (const beast::string_view coding : codings) {
        has_bad_codings_ |= ends_chunked_;  // nothing goes around chunks, not even other chunks
        ends_chunked_ = beast::iequals(coding, "chunked");
        has_other_codings_ |= !ends_chunked_;
    }
}

void request_reader::refuse_bad_codings()
{
    if (!has_codings_)
        return;
    if (message_.version() < 11)
        refuse(http::status::bad_request, "HTTP/1.0 has no transfer codings");
    else if (!ends_chunked_ || has_bad_codings_)
        refuse(http::status::bad_request,
            "the length of a body whose last transfer coding is not chunked is unknown");
    else if (has_other_codings_ || !chunked())
        refuse(http::status::not_implemented, "chunked is the only transfer coding here");
}

void request_reader::refuse_bad_host()
{
    if (refused_)
        return;
    if (hosts_ == 0 && message_.version() >= 11)
        refuse(http::status::bad_request, "a request names its Host");
    else if (hosts_ > 1)
        refuse(http::status::bad_request, "a request names one Host");
    else if (!is_host(host_))
        refuse(http::status::bad_request, "that is no Host");
}

}  // namespace service
