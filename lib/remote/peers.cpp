// SPDX-License-Identifier: MIT

#include <costar/remote/peers.hpp>

namespace costar::remote {

bool peers::contains(std::string_view name) const
{
    return are_all_ || (!name.empty() && names_.find(name) != names_.end());
}

}  // namespace costar::remote
