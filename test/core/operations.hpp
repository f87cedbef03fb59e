// SPDX-License-Identifier: MIT

#pragma once

#include <support/catch.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/post.hpp>

#include <functional>
#include <optional>
#include <tuple>
#include <utility>

namespace support {

namespace asio = boost::asio;

/// Completes with `values` as an Asio operation does: later, through the handler's executor.
template <class Signature, class Token, class... Values>
auto async_give(Token&& token, Values... values)
{
    return asio::async_initiate<Token, Signature>(
        [](auto handler, Values... values) {
            const auto executor = asio::get_associated_executor(handler);
            asio::post(executor,
                [handler = std::move(handler),
                    values = std::tuple<Values...>(std::move(values)...)]() mutable {
                    std::apply([&](Values&... each) { std::move(handler)(std::move(each)...); }, values);
                });
        },
        token, std::move(values)...);
}

/// Keeps its handler until the test completes, drops or cancels it.
template <class... Values>
class held_operation {
public:
    template <class Token>
    auto async_wait(Token&& token)
    {
        return asio::async_initiate<Token, void(Values...)>(
            [this](auto handler) {
                handler_.emplace(std::move(handler));
                asio::get_associated_cancellation_slot(*handler_).assign(
                    [this](asio::cancellation_type type) {
                        ++cancelled;
                        CHECK(type == asio::cancellation_type::terminal);
                        if (on_cancel)
                            on_cancel();
                    });
                ++started;
            },
            token);
    }

    bool has_handler() const { return handler_.has_value(); }
    void complete(Values... values)
    {
        auto handler = std::move(*handler_);
        handler_.reset();
        std::move(handler)(std::move(values)...);
    }
    void drop() { handler_.reset(); }

    int started = 0;
    int cancelled = 0;
    std::function<void()> on_cancel;

private:
    std::optional<asio::any_completion_handler<void(Values...)>> handler_;
};

}  // namespace support
