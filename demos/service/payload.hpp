// SPDX-License-Identifier: MIT

#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace service {

namespace http = boost::beast::http;

using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

/// A request that is not granted: the status, and the reason that the client is told.
class refusal : public std::runtime_error {
public:
    refusal(http::status status, const std::string& reason) : std::runtime_error(reason), status_(status) {}

    http::status status() const noexcept { return status_; }

private:
    http::status status_;
};

/// What the target of a request names.
struct target {
    enum class kind {
        account,
        deposit,
        watch,
        crash,
        transfers,
        stats
    };

    kind what;
    std::string account;                   ///< whose, for the first four
    bool crashes_after_next_step = false;  ///< crash?after=step
};

/// A transfer as the client orders it.
struct transfer_order {
    std::string from;
    std::string to;
    std::int64_t amount;
};

/// Reads the target of a request, a path or an absolute URL. Errors: throws `refusal`, 404 for no route, 400
/// for a malformed one.
target read_target(std::string_view text);

/// Reads {"amount": 100}, an integer from 1 to 2^63 - 1. Errors: throws `refusal`, 400 with the reason.
std::int64_t read_amount(std::string_view body);

/// Reads {"from": "a", "to": "b", "amount": 100}. Errors: as `read_amount`.
transfer_order read_transfer(std::string_view body);

/// An answer with a JSON body.
response answer(http::status status, std::string json);

response answer_refused(http::status status, std::string_view reason);

/// What is done; `more` is further members of the object, each behind a comma.
response answer_balance(std::string_view account, std::int64_t balance, std::string_view more = {});
response answer_transferred(
    const transfer_order& order, std::int64_t balance_left, std::string_view more = {});

/// It is not known whether it was done; the client finds out with the key.
response answer_unknown(std::string_view key);

/// How an answer is sent.
struct delivery {
    std::string_view date;
    bool keep_alive;
    bool has_body = true;  ///< false for the answer to a HEAD, which has the length all the same
};

/// An answer as it goes to the client, in one piece.
std::string text_of(const response& answered, const delivery& how);

/// Checks the method of a request. Errors: throws `refusal` with 405.
void require_method(const request& asked, target::kind what);

/// The method that a target is for.
http::verb method_for(target::kind what) noexcept;

/// The value of an Allow field.
std::string_view allowed_methods(target::kind what) noexcept;

}  // namespace service
