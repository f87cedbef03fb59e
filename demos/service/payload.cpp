// SPDX-License-Identifier: MIT

#include "payload.hpp"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace service {

namespace json = boost::json;

namespace {

constexpr std::size_t account_length_max = 64;

[[noreturn]] void refuse(const std::string& reason)
{
    throw refusal(http::status::bad_request, reason);
}

/// Names that need no escaping, neither in a target nor in JSON.
std::string checked_account(std::string_view name)
{
    const auto is_plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
            c == '_' || c == '.';
    };
    const bool is_path = name == "." || name == "..";  // clients and proxies resolve these
    if (name.empty() || name.size() > account_length_max || is_path ||
        !std::all_of(name.begin(), name.end(), is_plain))
        refuse(fmt::format("an account's name has 1 to {} of the characters a-z A-Z 0-9 - _ . and is neither "
                           ". nor ..",
            account_length_max));
    return std::string(name);
}

/// A body that was parsed, in memory of its own.
class document {
public:
    explicit document(std::string_view body) : memory_(space_.data(), space_.size())
    {
        json::error_code failure;
        value_ = json::parse(body, failure, &memory_);
        if (failure)
            refuse("the body is no JSON: " + failure.message());
        if (!value_.is_object())
            refuse("the body is no JSON object");
    }

    const json::value& at(std::string_view key) const
    {
        const json::value* found = value_.get_object().if_contains(key);
        if (found == nullptr)
            refuse(fmt::format("\"{}\" is missing", key));
        return *found;
    }

    std::int64_t amount() const
    {
        const json::value& given = at("amount");
        if (!given.is_int64() || given.get_int64() <= 0)
            refuse("\"amount\" is no integer from 1 to 9223372036854775807");
        return given.get_int64();
    }

    std::string account(std::string_view key) const
    {
        const json::value& given = at(key);
        if (!given.is_string())
            refuse(fmt::format("\"{}\" is no string", key));
        return checked_account(given.get_string());
    }

private:
    std::array<unsigned char, 1024> space_;
    json::monotonic_resource memory_;
    json::value value_;
};

/// A path, or that path behind a scheme and a host, which proxies are sent.
boost::urls::url_view read_url(std::string_view text)
{
    if (text.starts_with('/')) {
        const auto url = boost::urls::parse_origin_form(text);
        if (url)
            return *url;
    } else {
        const auto url = boost::urls::parse_absolute_uri(text);
        const bool is_ours = url &&
            (url->scheme_id() == boost::urls::scheme::http || url->scheme_id() == boost::urls::scheme::https);
        if (is_ours && url->has_authority() && !url->encoded_host().empty() && !url->has_userinfo())
            return *url;
    }
    refuse("the target of the request is no path");
}

}  // namespace

target read_target(std::string_view text)
{
    const boost::urls::url_view url = read_url(text);
    const auto segments = url.segments();
    const std::size_t count = segments.size();
    if (count >= 1 && count <= 3) {
        auto segment = segments.begin();
        const std::string first = *segment;
        if (count == 1 && first == "stats")
            return {target::kind::stats, {}};
        if (count == 1 && first == "transfers")
            return {target::kind::transfers, {}};
        if (count >= 2 && first == "accounts") {
            const std::string account = *++segment;
            const std::string verb = count == 3 ? *++segment : std::string();
            if (count == 2)
                return {target::kind::account, checked_account(account)};
            if (verb == "deposit")
                return {target::kind::deposit, checked_account(account)};
            if (verb == "watch")
                return {target::kind::watch, checked_account(account)};
            if (verb == "crash")
                return {target::kind::crash, checked_account(account), url.encoded_query() == "after=step"};
        }
    }
    throw refusal(http::status::not_found, "there is nothing at " + std::string(text));
}

std::int64_t read_amount(std::string_view body)
{
    return document(body).amount();
}

transfer_order read_transfer(std::string_view body)
{
    const document given(body);
    transfer_order order{given.account("from"), given.account("to"), given.amount()};
    if (order.from == order.to)
        refuse("\"from\" and \"to\" are the same account");
    return order;
}

response answer(http::status status, std::string json)
{
    response made;
    made.result(status);
    made.set(http::field::content_type, "application/json");
    made.body() = std::move(json);
    made.body() += '\n';
    return made;
}

response answer_refused(http::status status, std::string_view reason)
{
    return answer(status, json::serialize(json::value{{"error", reason}}));
}

response answer_balance(std::string_view account, std::int64_t balance, std::string_view more)
{
    return answer(
        http::status::ok, fmt::format(R"({{"account":"{}","balance":{}{}}})", account, balance, more));
}

response answer_transferred(const transfer_order& order, std::int64_t balance_left, std::string_view more)
{
    return answer(http::status::ok,
        fmt::format(R"({{"from":"{}","to":"{}","amount":{},"balance":{}{}}})", order.from, order.to,
            order.amount, balance_left, more));
}

response answer_unknown(std::string_view key)
{
    return answer(http::status::gateway_timeout,
        json::serialize(json::value{{"error", "not known in time; it may still be done"},
            {"idempotency_key", key},
            {"next", "send it again with this as its Idempotency-Key: it is done once, and you hear how"}}));
}

std::string text_of(const response& answered, const delivery& how)
{
    const std::string& body = answered.body();
    const bool is_old = answered.version() < 11;
    std::string text;
    text.reserve(256 + body.size());
    const auto add = [&text](auto... parts) { (text.append(parts.data(), parts.size()), ...); };
    fmt::format_to(std::back_inserter(text), "HTTP/1.{} {} ", is_old ? 0 : 1, answered.result_int());
    add(http::obsolete_reason(answered.result()));
    for (const auto& field : answered)
        add(std::string_view("\r\n"), field.name_string(), std::string_view(": "), field.value());
    fmt::format_to(std::back_inserter(text), "\r\nContent-Length: {}\r\nDate: ", body.size());
    add(how.date);
    if (how.keep_alive == is_old)  // what each version does by itself need not be said
        add(std::string_view(is_old ? "\r\nConnection: keep-alive" : "\r\nConnection: close"));
    add(std::string_view("\r\n\r\n"));
    if (how.has_body)
        text += body;
    return text;
}

http::verb method_for(target::kind what) noexcept
{
    switch (what) {
    case target::kind::account:
    case target::kind::watch:
    case target::kind::stats:
        return http::verb::get;
    default:
        return http::verb::post;
    }
}

std::string_view allowed_methods(target::kind what) noexcept
{
    return method_for(what) == http::verb::get ? "GET, HEAD" : "POST";
}

void require_method(const request& asked, target::kind what)
{
    const http::verb allowed = method_for(what);
    const bool fits =
        asked.method() == allowed || (allowed == http::verb::get && asked.method() == http::verb::head);
    if (!fits)
        throw refusal(http::status::method_not_allowed,
            fmt::format(
                "{} is not for this; use {}", std::string(asked.method_string()), allowed_methods(what)));
}

}  // namespace service
