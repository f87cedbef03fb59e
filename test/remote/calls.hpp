// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/await.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <capnp/capability.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include "places.hpp"

namespace support {

inline boost::asio::ip::tcp::endpoint endpoint_of(const place& there)
{
    const std::string address = there.node.address();
    const std::size_t colon = address.rfind(':');
    return {boost::asio::ip::make_address(address.substr(0, colon)),
        static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1)))};
}

/// What a promise came to: its failure's text, or nothing.
template <class Promise>
std::string said_of(boost::asio::io_context& io, Promise promise)
{
    std::string said = "nothing came";
    costar::rpc::async_wait(kj::mv(promise), [&](std::exception_ptr failure, auto&&...) {
        said.clear();
        try {
            if (failure)
                std::rethrow_exception(failure);
        } catch (const std::exception& thrown) {
            said = thrown.what();
        }
        io.stop();
    });
    io.restart();
    io.run_for(std::chrono::seconds(10));
    return said;
}

/// What a call gives.
template <class Results>
costar::rpc::answer<Results> results_of(boost::asio::io_context& io, capnp::RemotePromise<Results> promise)
{
    std::optional<costar::rpc::answer<Results>> came;
    std::exception_ptr failed;
    costar::rpc::async_wait(
        kj::mv(promise), [&](std::exception_ptr failure, costar::rpc::answer<Results> answer) {
            failed = std::move(failure);
            came.emplace(std::move(answer));
            io.stop();
        });
    io.restart();
    io.run_for(std::chrono::seconds(10));
    if (failed)
        std::rethrow_exception(failed);
    return std::move(came.value());
}

}  // namespace support
