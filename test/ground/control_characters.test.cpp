// SPDX-License-Identifier: MIT

#include <costar/ground/control_characters.hpp>

#include <string>

#include <support/catch.hpp>

using namespace costar::machine;

TEST_CASE("control_characters: they become spaces, and nothing else does", "[ground][control_characters]")
{
    for (int c = 0; c < 256; ++c)
        CHECK(is_control(static_cast<char>(c)) == (c < 0x20 || c == 0x7f));
    CHECK(one_line(std::string("a\tb\r\nc\0d\x1b[1m\x7f", 13)) == "a b  c d [1m ");
    CHECK(one_line("Gr\xc3\xbc\xc3\x9f"
                   "e ~") ==
        "Gr\xc3\xbc\xc3\x9f"
        "e ~");
    CHECK(one_line("").empty());
}
