// SPDX-License-Identifier: MIT

#include <costar/core/error.hpp>

#include <boost/asio/error.hpp>
#include <support/catch.hpp>

#include <set>
#include <string>
#include <system_error>

using costar::errc;
using costar::error_code;

TEST_CASE("errc: becomes an error code of the category costar", "[core][error]")
{
    const error_code code = errc::no_such_actor;

    CHECK(code.failed());
    CHECK(code == errc::no_such_actor);
    CHECK(code != errc::name_in_use);
    CHECK(code.category() == costar::error_category());
    CHECK(std::string(code.category().name()) == "costar");
    CHECK(code.message() == "no such actor");
}

TEST_CASE("errc: cancelled and timed_out equal the standard conditions", "[core][error]")
{
    const error_code cancelled = errc::cancelled;
    const error_code timed_out = errc::timed_out;

    CHECK(cancelled == boost::system::errc::operation_canceled);
    CHECK(cancelled == std::errc::operation_canceled);
    CHECK(cancelled.default_error_condition() ==
        error_code(boost::asio::error::operation_aborted).default_error_condition());
    CHECK(timed_out == boost::system::errc::timed_out);
    CHECK(timed_out == std::errc::timed_out);
    CHECK(cancelled != std::errc::timed_out);
    CHECK(error_code(errc::unanswered) != std::errc::timed_out);
}

TEST_CASE("errc: every code has a message of its own", "[core][error]")
{
    std::set<std::string> messages;
    for (int code = 1; code <= static_cast<int>(errc::too_many_actors); ++code) {
        messages.insert(costar::error_category().message(code));
    }

    CHECK(messages.size() == static_cast<std::size_t>(errc::too_many_actors));
    CHECK(messages.count("unknown error") == 0);
    CHECK(costar::error_category().message(1000) == "unknown error");
}

TEST_CASE("errc: a message is cut to the buffer it is written into", "[core][error]")
{
    char buffer[6] = "xxxxx";

    CHECK(std::string(costar::error_category().message(static_cast<int>(errc::cancelled), buffer, 6)) ==
        "cance");
    CHECK(costar::error_category().message(1, buffer, 0) == buffer);
}

TEST_CASE("error: carries its code and says where it happened", "[core][error]")
{
    const costar::error plain(errc::mailbox_full);
    const costar::error told(errc::name_in_use, "spawn greeter");

    CHECK(plain.code() == errc::mailbox_full);
    CHECK(std::string(plain.what()).find("the mailbox is full") == 0);
    CHECK(std::string(told.what()).find("spawn greeter: another actor has this name") == 0);
    CHECK_THROWS_AS(throw plain, boost::system::system_error);
}
