// SPDX-License-Identifier: MIT

#include <costar/wire/record.hpp>

#include <string>
#include <utility>

#include <support/catch.hpp>

#include "travel.hpp"

using namespace costar;
using namespace support;

using page = wire::record<travel::Page>;

static_assert(any_message<page> && wire::travels<page> && is_copyable<page>);

namespace {

page page_of(int lines)
{
    page made;
    auto build = made.build();
    build.setTitle("costar");
    auto list = build.initLines(static_cast<unsigned>(lines));
    for (int i = 0; i < lines; ++i)
        list.set(static_cast<unsigned>(i), "line " + std::to_string(i));
    build.initInner().setTitle("inner");
    return made;
}

}  // namespace

TEST_CASE("record: a default one reads as defaults, as does one that was moved from", "[wire][record]")
{
    page empty;
    CHECK(empty->getTitle().size() == 0);

    page full = page_of(1);
    const page taken = std::move(full);
    CHECK(full->getTitle().size() == 0);
    CHECK(wire::text(taken->getTitle()) == "costar");
    full.build().setTitle("again");
    CHECK(wire::text(full->getTitle()) == "again");
}

TEST_CASE("record: a copy is one of all of it", "[wire][record]")
{
    page original = page_of(500);
    page copy = original;
    original.build().setTitle("changed");

    CHECK(wire::text(copy->getTitle()) == "costar");
    CHECK(copy->getLines().size() == 500);
    CHECK(wire::text(copy->getLines()[499]) == "line 499");
    CHECK(wire::text(copy->getInner().getTitle()) == "inner");

    original = copy;
    CHECK(wire::text(original->getTitle()) == "costar");
    copy = page();
    CHECK(copy->getTitle().size() == 0);
}

TEST_CASE("record: it travels as it is, and with fields that its reader does not know", "[wire][record]")
{
    const page arrived = travelled<page>(page_of(300));
    CHECK(arrived->getLines().size() == 300);
    CHECK(wire::text(arrived->getInner().getTitle()) == "inner");

    using old_form = wire::record<travel::Greeting>;
    const old_form between = travelled<old_form>(new_greeting{"bob", 3, "de", pid(1, 2, 3, 4)});
    CHECK(between->getTimes() == 3);
    CHECK(travelled<new_greeting>(between) == new_greeting{"bob", 3, "de", pid(1, 2, 3, 4)});
}
