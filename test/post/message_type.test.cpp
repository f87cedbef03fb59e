// SPDX-License-Identifier: MIT

#include <costar/post/message_type.hpp>

#include <cstdint>
#include <string>

#include <support/actors.hpp>
#include <support/catch.hpp>

#include "shapes.hpp"

using namespace costar;
using namespace costar::machine;
using namespace support;

TEST_CASE("message_type: small trivially copied messages are inline, others are not", "[post][message_type]")
{
    CHECK(type_of<empty>.is_inline);
    CHECK(type_of<int>.is_inline);
    CHECK(type_of<sixteen>.is_inline);
    CHECK(type_of<pid>.is_inline);
    CHECK_FALSE(type_of<seventeen>.is_inline);
    CHECK_FALSE(type_of<wide>.is_inline);
    CHECK_FALSE(type_of<std::string>.is_inline);
}

TEST_CASE("message_type: each message type has one record", "[post][message_type]")
{
    CHECK(&type_of<int> == &type_of<int>);
    CHECK(static_cast<const void*>(&type_of<int>) != &type_of<unsigned>);
    CHECK(type_of<support::greet>.reply == &type_of<std::string>);
    CHECK(type_of<support::knock>.reply == &type_of<std::monostate>);
    CHECK(type_of<support::number>.reply == nullptr);
    CHECK(type_of<support::number>.name() == "support::number");
}
