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

TEST_CASE("address: a host ends no line of the log", "[remote][address]")
{
    for (const std::string wrong :
        {"a\nb:5", "a\rb:5", "a b:5", " a:5", "\x1b[31m:5", "a\x7f:5", "[::1\n]:5"}) {
        CHECK(remote::address_or_none(wrong).empty());
        CHECK_THROWS_AS(remote::parse_address(wrong), std::invalid_argument);
    }
    CHECK(remote::address_or_none(std::string("127.0.0.1\0.example.org:5", 24)).empty());
    CHECK(remote::address_or_none("b\xc3\xbc.example:5") == "b\xc3\xbc.example:5");
}

TEST_CASE("address: what is none is refused with an example", "[remote][address]")
{
    for (const char* wrong : {"", ":", ":5", "host", "host:", "host:x", "host:-1", "host:65536", "host:5x",
             "::1:5", "[]:5", "host: 5"}) {
        std::string why;
        try {
            remote::parse_address(wrong);
        } catch (const std::invalid_argument& refused) {
            why = refused.what();
        }
        CHECK(why.find("127.0.0.1:4711") != std::string::npos);
    }
}
