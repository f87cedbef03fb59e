// SPDX-License-Identifier: MIT

#include <costar/actor/cell.hpp>

namespace costar {

cold_part::~cold_part() = default;

cold_part& cell::cold_part_made()
{
    if (cold == nullptr)
        cold = new cold_part;
    return *cold;
}

rare_part& cell::rare_part_made()
{
    cold_part& part = cold_part_made();
    if (part.rare == nullptr)
        part.rare = std::make_unique<rare_part>();
    return *part.rare;
}

}  // namespace costar
