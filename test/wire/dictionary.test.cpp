// SPDX-License-Identifier: MIT

#include <costar/wire/dictionary.hpp>

#include <stdexcept>
#include <string>

#include <support/catch.hpp>

#include "travel.hpp"

using namespace costar;
using namespace support;

TEST_CASE("dictionary: messages are found by type and by id, answers by type alone", "[wire][dictionary]")
{
    wire::dictionary words;
    words.add<greeting, new_greeting>().add<greeting>();

    CHECK(words.size() == 2);
    CHECK(words.find(machine::type_of<greeting>) == &wire::codec_of<greeting>);
    CHECK(words.find(0xabcc815cecf75e6b) == &wire::codec_of<greeting>);
    CHECK(words.find(machine::type_of<std::string>) == &wire::codec_of<std::string>);
    CHECK(words.find(wire::schema_id<std::string>()) == nullptr);
    CHECK(words.find(machine::type_of<int>) == nullptr);
    CHECK(words.find(std::uint64_t{0}) == nullptr);
}

TEST_CASE("dictionary: two messages with one schema are refused by name", "[wire][dictionary]")
{
    wire::dictionary words;
    words.add<int>();
    std::string why;
    try {
        words.add<long>();
    } catch (const std::logic_error& refused) {
        why = refused.what();
    }
    CHECK(why.find("int and long") != std::string::npos);
    CHECK(words.find(machine::type_of<long>) == nullptr);

    words.add<greeting>();
    CHECK_THROWS_AS(words.add<wire::record<travel::Greeting>>(), std::logic_error);
}
