// SPDX-License-Identifier: MIT

#include <costar/kernel/commons.hpp>

#include <costar/kernel/station.hpp>

#include <fmt/format.h>

namespace costar::machine {

namespace {

/// Without the place in a header of Boost where the code was set, which is longer than all else.
std::string without_location(const boost::system::system_error& thrown)
{
    std::string text = thrown.what();
    const std::string code = "[" + thrown.code().to_string();
    if (const std::size_t begin = text.rfind(code + " at "); begin != std::string::npos)
        text.replace(begin + code.size(), std::string::npos, "]");
    return text;
}

}  // namespace

std::uint32_t next_node_number() noexcept
{
    static std::atomic<std::uint32_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::string text_of(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& thrown) {
        return without_location(thrown);
    } catch (const std::exception& thrown) {
        const char* text = thrown.what();
        return text != nullptr ? text : "an exception without a text";
    } catch (...) {
        return "an exception of unknown type";
    }
}

}  // namespace costar::machine

namespace costar {

using namespace machine;

name_in_use::name_in_use(std::string_view name, pid holder)
    : error(errc::name_in_use, fmt::format("'{}' is the name of {}", name, holder)), holder_(holder)
{}

}  // namespace costar

namespace costar::machine {

void commons::check_way(pid to, const strand_context& home) const
{
    if (to.node() == node && to.strand() < stations.size() && &stations[to.strand()]->home() != &home)
        refuse_to_leave_strand();
}

}  // namespace costar::machine
