// SPDX-License-Identifier: MIT

#include <costar/post/parcel.hpp>

#include <cstdint>
#include <cstring>

#include <support/actors.hpp>
#include <support/catch.hpp>

#include "shapes.hpp"

using namespace costar;
using namespace costar::machine;
using namespace support;

TEST_CASE("parcel: an inline message travels by value with its header", "[post][parcel]")
{
    const parcel packed = pack(77, envelope::make(sixteen{1, 2}, pid(1, 2, 3, 5), 99, 1000));
    CHECK(packed.to == 77);
    CHECK(packed.kind == &type_of<sixteen>);
    parcel shortcut;
    pack_inline(shortcut, 77, sixteen{1, 2}, pid(1, 2, 3, 5), 99, 1000);
    CHECK(std::memcmp(packed.body, shortcut.body, sizeof packed.body) == 0);

    envelope* arrived = unpack(packed);

    CHECK(arrived->type == &type_of<sixteen>);
    CHECK(arrived->sender == pid(1, 2, 3, 5));
    CHECK(arrived->reply == 99);
    CHECK(arrived->deadline == 1000);
    CHECK(arrived->as<sixteen>().a == 1);
    CHECK(arrived->as<sixteen>().b == 2);
    arrived->discard();
}

TEST_CASE("parcel: any other message travels in its envelope", "[post][parcel]")
{
    int alive = 0;
    envelope* made = envelope::make(counted(alive), pid(1, 2, 3, 5), 99, 1000);

    envelope* arrived = unpack(pack(77, made));

    CHECK(arrived == made);
    CHECK(arrived->sender == pid(1, 2, 3, 5));
    CHECK(alive == 1);
    arrived->discard();
    CHECK(alive == 0);
}
