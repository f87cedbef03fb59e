// SPDX-License-Identifier: MIT

#include "../../lib/remote/address.hpp"

#include <stdexcept>
#include <string>

#include <support/catch.hpp>

using namespace costar;

TEST_CASE("address: what can be dialled is read, and written as it is read", "[remote][address]")
{
    namespace ip = boost::asio::ip;
    CHECK(remote::parse_address("127.0.0.1:4711").host == "127.0.0.1");
    CHECK(remote::parse_address("example.org:1").port == 1);
    CHECK(remote::parse_address("[::1]:65535").host == "::1");
    CHECK(remote::text_of({ip::address_v6::loopback(), 5}) == "[::1]:5");
    CHECK(remote::text_of({ip::address_v4::loopback(), 5}) == "127.0.0.1:5");
}

TEST_CASE("address: a host ends no line of the log, and no text before its end", "[remote][address]")
{
    for (const std::string wrong :
        {"a\nb:5", "a\rb:5", "a b:5", " a:5", "\x1b[31m:5", "a\x7f:5", "[::1\n]:5", "a/b:5"}) {
        CHECK(remote::address_or_none(wrong).empty());
        CHECK_THROWS_AS(remote::parse_address(wrong), std::invalid_argument);
    }
    CHECK(remote::address_or_none(std::string("127.0.0.1\0.example.org:5", 24)).empty());
    CHECK(remote::address_or_none("b\xc3\xbc.example:5") == "b\xc3\xbc.example:5");
}

TEST_CASE("address: what is none is refused with an example", "[remote][address]")
{
    for (const char* wrong : {"", ":", ":5", "host", "host:", "host:x", "host:-1", "host:65536", "host:5x",
             "::1:5", "[]:5", "host: 5", "unix:5", "unix:/run/x.sock"}) {
        std::string why;
        try {
            remote::parse_address(wrong);
        } catch (const std::invalid_argument& refused) {
            why = refused.what();
        }
        CHECK(why.find("127.0.0.1:4711") != std::string::npos);
    }
}

TEST_CASE("address: that of a Unix socket is a path from the root", "[remote][address]")
{
    CHECK(remote::is_unix_address("unix:/run/x.sock"));
    CHECK_FALSE(remote::is_unix_address("127.0.0.1:1"));
    CHECK(remote::unix_path("unix:/run/x.sock") == "/run/x.sock");
    CHECK(remote::address_or_none("unix:/run/x.sock") == "unix:/run/x.sock");
    for (const std::string& wrong :
        {std::string("unix:"), std::string("unix:/"), std::string("unix:x"), std::string("unix:39"),
            std::string("unix:/a/"), std::string("unix:/a:/b"), std::string("unix:/a\nb"), std::string("x"),
            "unix:/" + std::string(107, 'x'), std::string("unix:/a\0b", 9)}) {
        CHECK(remote::address_or_none(wrong).empty());
        CHECK_THROWS_AS(remote::unix_path(wrong), std::invalid_argument);
    }
    CHECK(remote::address_or_none("unix:/" + std::string(106, 'x')).size() == 112);
}

TEST_CASE("address: the name of an actor stands behind it", "[remote][address]")
{
    using both = std::pair<std::string, std::string>;
    CHECK(remote::address_and_name("a:1/host") == both("a:1", "host"));
    CHECK(remote::address_and_name("unix:/run/x.sock:/host") == both("unix:/run/x.sock", "host"));
    CHECK(remote::address_and_name("unix:/x:/a/b") == both("unix:/x", "a/b"));
    for (const char* wrong :
        {"unix:/run/x.sock", "unix:/run/x.sock:/", "unix::/x", "unix:/x/host", "a:1/", "host"})
        CHECK_THROWS_AS(remote::address_and_name(wrong), std::invalid_argument);
}
