// SPDX-License-Identifier: MIT

#include <costar/rpc/error.hpp>

#include <costar/core/spawn.hpp>
#include <costar/core/timer.hpp>

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <support/catch.hpp>

#include "../core/running_scheduler.hpp"

using namespace costar;

TEST_CASE("rpc error: kinds are conditions that others know", "[rpc][error]")
{
    CHECK(make_error_code(rpc::errc::overloaded) == std::errc::resource_unavailable_try_again);
    CHECK(make_error_code(rpc::errc::disconnected) == std::errc::not_connected);
    CHECK(make_error_code(rpc::errc::unimplemented) == std::errc::function_not_supported);
    CHECK(std::string(make_error_code(rpc::errc::failed).category().name()) == "costar.rpc");
    CHECK_FALSE(is_cancellation(make_error_code(rpc::errc::disconnected)));
}

TEST_CASE("rpc error: a peer's text is one line of bounded length", "[rpc][error]")
{
    const std::string long_text = "line\n\ttab" + std::string(1, '\0') + std::string(5000, 'x');
    const std::string what = rpc::error(rpc::errc::failed, long_text).what();
    CHECK(what.size() < rpc::error::text_max + 100);
    CHECK(what.find('\n') == std::string::npos);
    CHECK(what.find('\t') == std::string::npos);
    CHECK(what.find('\0') == std::string::npos);

    std::string umlauts;
    for (int i = 0; i < 1000; ++i)
        umlauts += "\xc3\xa4";
    const std::string cut = rpc::error(rpc::errc::failed, "x" + umlauts).what();
    CHECK(cut.find("\xc3\xa4 ") == std::string::npos);
    CHECK(static_cast<unsigned char>(cut[cut.find(": the call failed") - 1]) == 0xa4);
}

TEST_CASE("rpc error: what KJ throws in a task may end on another thread", "[rpc][error]")
{
    asio::thread_pool pool(1);
    support::running strands(std::vector<asio::any_io_executor>{pool.get_executor()});
    const auto fails = []() -> task<> {
        co_await yield();
        kj::throwFatalException(kj::Exception(kj::Exception::Type::OVERLOADED, "", 0, kj::str("too\nmuch")));
    };
    std::string said;
    {
        auto ended = async_spawn(strands[0].get_executor(), fails(), asio::use_future);
        try {
            ended.get();
        } catch (const kj::Exception& thrown) {
            said = thrown.getDescription().cStr();
        }
    }
    CHECK(said == "too\nmuch");

    // It is a std::exception too, as what KJ throws is.
    said.clear();
    try {
        async_spawn(strands[0].get_executor(), fails(), asio::use_future).get();
    } catch (const std::exception& thrown) {
        said = thrown.what();
    }
    CHECK(said.find("too much") != std::string::npos);
    CHECK(said.find("stack") == std::string::npos);
    CHECK(said.find('\n') == std::string::npos);
}

TEST_CASE("rpc error: failures of every sort have a kind on the wire", "[rpc][error]")
{
    using type = kj::Exception::Type;
    const auto kind = [](const auto& thrown) {
        return rpc::to_kj(std::make_exception_ptr(thrown)).getType();
    };
    CHECK(kind(std::bad_alloc()) == type::OVERLOADED);
    CHECK(kind(std::runtime_error("x")) == type::FAILED);
    CHECK(kind(5) == type::FAILED);
    CHECK(kind(error(errc::timed_out)) == type::OVERLOADED);
    CHECK(kind(error(errc::not_understood)) == type::UNIMPLEMENTED);
    CHECK(kind(error(errc::cancelled)) == type::DISCONNECTED);
    CHECK(kind(kj::Exception(type::UNIMPLEMENTED, "", 0, kj::str("x"))) == type::UNIMPLEMENTED);
    CHECK(
        std::string(rpc::to_kj(std::make_exception_ptr(std::runtime_error("why"))).getDescription().cStr()) ==
        "why");
}
