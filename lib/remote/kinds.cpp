// SPDX-License-Identifier: MIT

#include <costar/remote/kinds.hpp>

#include <fmt/format.h>

#include <stdexcept>

namespace costar::remote {

kinds& kinds::enter(std::string name, machine::kind made)
{
    if (name.empty())
        throw std::invalid_argument("a kind of actors needs a name");
    const auto [place, is_new] =
        all_.emplace(std::move(name), std::make_shared<const machine::kind>(std::move(made)));
    if (!is_new)
        throw std::logic_error(fmt::format("there is a kind \"{}\" already", place->first));
    return *this;
}

std::shared_ptr<const machine::kind> kinds::find(std::string_view name) const
{
    const auto found = all_.find(name);
    return found != all_.end() ? found->second : nullptr;
}

}  // namespace costar::remote
