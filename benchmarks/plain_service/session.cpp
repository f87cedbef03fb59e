// SPDX-License-Identifier: MIT

#include "session.hpp"

#include <boost/asio/write.hpp>

#include <fmt/format.h>

#include <chrono>

namespace plain {

namespace http = service::http;
using service::target;

void session::begin()
{
    reader_.emplace(service::request_reader::limits{
        service::options::header_bytes_max, service::options::body_bytes_max});
    client_.expires_after(limits_.request_limit);
    go_on();
}

void session::go_on()
{
    if (reader_->take(buffer_))
        return reply();
    client_.async_read_some(buffer_.prepare(4096),
        [self = shared_from_this()](const boost::system::error_code& failure, std::size_t bytes) {
            if (failure)
                return;
            self->buffer_.commit(bytes);
            self->go_on();
        });
}

void session::reply()
{
    if (const auto& refused = reader_->refused())
        return write(service::answer_refused(refused->status(), refused->what()), false);
    write(answer(reader_->message()), reader_->keep_alive());
}

void session::write(const service::response& answered, bool keep_alive)
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    text_ = service::text_of(answered, {date_.at(now), keep_alive});
    requests_.store(requests_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    client_.expires_after(limits_.answer_limit);
    boost::asio::async_write(client_, boost::asio::buffer(text_),
        [self = shared_from_this(), keep_alive](boost::system::error_code failure, std::size_t) {
            if (!failure && keep_alive)
                self->begin();
            else
                self->client_.socket().shutdown(socket::shutdown_send, failure);
        });
}

service::response session::answer(const service::request& asked)
{
    try {
        return route(asked);
    } catch (const service::refusal& refused) {
        return service::answer_refused(refused.status(), refused.what());
    }
}

service::response session::route(const service::request& asked)
{
    const target named = service::read_target(asked.target());
    service::require_method(asked, named.what);
    switch (named.what) {
    case target::kind::deposit: {
        const std::int64_t amount = service::read_amount(asked.body());
        return service::answer_balance(named.account, bank_.deposit(named.account, amount));
    }
    case target::kind::transfers: {
        const service::transfer_order order = service::read_transfer(asked.body());
        return service::answer_transferred(order, bank_.transfer(order));
    }
    case target::kind::account:
        return service::answer_balance(named.account, bank_.balance(named.account));
    case target::kind::stats:
        return service::answer(http::status::ok, fmt::format(R"({{"accounts":{}}})", bank_.size()));
    default:
        throw service::refusal(http::status::not_found, "this server has no such thing");
    }
}

}  // namespace plain
