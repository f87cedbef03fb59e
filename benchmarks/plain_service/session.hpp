// SPDX-License-Identifier: MIT

#pragma once

#include "bank.hpp"

#include "../../demos/service/date_line.hpp"
#include "../../demos/service/options.hpp"
#include "../../demos/service/request_reader.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace plain {

using stream = boost::beast::basic_stream<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;
using socket = stream::socket_type;

/// Answers the requests of one connection with callbacks, on the one thread of its `io_context`.
class session : public std::enable_shared_from_this<session> {
public:
    session(socket client, plain::bank& bank, std::atomic<std::uint64_t>& requests, service::date_line& date,
        const service::options& limits)
        : client_(std::move(client)), bank_(bank), requests_(requests), limits_(limits), date_(date)
    {}

    void begin();

private:
    void go_on();
    void reply();
    void write(const service::response& answered, bool keep_alive);
    service::response answer(const service::request& asked);
    service::response route(const service::request& asked);

    stream client_;
    plain::bank& bank_;
    std::atomic<std::uint64_t>& requests_;  // written by this thread only
    const service::options& limits_;
    service::date_line& date_;  // of this thread
    boost::beast::flat_buffer buffer_;
    std::optional<service::request_reader> reader_;
    std::string text_;  // of the answer
};

}  // namespace plain
