// SPDX-License-Identifier: MIT

#include <costar/wire/list.hpp>

#include <stdexcept>
#include <string>

namespace costar::wire {

namespace {

constexpr std::size_t elements_max =
    (std::size_t{1} << 29) - 1;  // a pointer of Cap'n Proto has 29 bits for them

}  // namespace

void refuse_unknown_member(const char* union_name)
{
    throw std::logic_error(std::string("the union ") + union_name +
        " holds a member that this program's schema does not know: what belongs to it was not read, so it "
        "cannot be written; send it on as wire::record");
}

unsigned count_of(std::size_t elements)
{
    if (elements > elements_max)
        throw std::length_error("a list has more elements than a message of Cap'n Proto can hold");
    return static_cast<unsigned>(elements);
}

}  // namespace costar::wire
