// SPDX-License-Identifier: MIT

#include <costar/post/message_type.hpp>

#include <boost/core/demangle.hpp>

#include <unordered_map>

namespace costar::machine {

std::string demangled(const std::type_info& info)
{
    return boost::core::demangle(info.name());
}

const std::string& message_type::name() const
{
    static const std::string unknown = "?";
    if (info == nullptr)
        return unknown;
    // Making it readable takes half a microsecond, and middleware may ask for every message.
    thread_local std::unordered_map<const std::type_info*, std::string> known;
    const auto found = known.find(info);
    return found != known.end() ? found->second : known.emplace(info, demangled(*info)).first->second;
}

}  // namespace costar::machine
