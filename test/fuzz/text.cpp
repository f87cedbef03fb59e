// SPDX-License-Identifier: MIT

// What users and peers write: addresses, cron expressions, pids, names of time zones, texts of errors. It is
// read or refused, and what was read means the same when it is written again.
//
// Input: which of them, then the text.

#include "../../lib/remote/address.hpp"

#include "../../lib/calendar/printable.hpp"

#include <costar/calendar/cron.hpp>
#include <costar/calendar/time_zone.hpp>
#include <costar/post/pid.hpp>
#include <costar/rpc/error.hpp>

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "script.hpp"

using namespace costar;
using support::demand;

namespace {

bool is_control(char c)
{
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

/// Is a text an address, as who connects reads it?
bool is_address(std::string_view text)
{
    try {
        remote::check_address(text);
        return true;
    } catch (const std::invalid_argument&) {
        return false;
    }
}

void read_host_and_port(std::string_view text)
{
    try {
        const remote::host_and_port where = remote::parse_address(text);
        demand(!remote::is_unix_address(text), "an address is of two kinds");
        demand(!where.host.empty(), "an address has no host");
        demand(std::none_of(where.host.begin(), where.host.end(), is_control), "a host has two lines");
        const bool is_none = where.port == 0 || text.size() > 255;
        demand(remote::address_or_none(text).empty() == is_none, "an address is none at times");
        boost::system::error_code none;
        const auto host = boost::asio::ip::make_address(where.host, none);
        if (none)
            return;
        const auto again = remote::parse_address(remote::text_of({host, where.port}));
        demand(again.port == where.port, "an address is written with another port");
        demand(boost::asio::ip::make_address(again.host) == host, "an address is written with another host");
    } catch (const std::invalid_argument&) {
        demand(remote::is_unix_address(text) || !is_address(text), "an address is refused at times");
    }
}

void read_address(std::string_view text)
{
    const std::string known = remote::address_or_none(text);
    demand(known.empty() || known == text, "an address becomes another one");
    demand(known.empty() || is_address(text), "what is no address is one");
    if (remote::is_unix_address(text) && is_address(text))
        demand(known == text && "unix:" + remote::unix_path(text) == text, "a path becomes another one");
    read_host_and_port(text);
    try {
        const auto [address, name] = remote::address_and_name(text);
        demand(is_address(address), "an actor is at no address");
        demand(text.starts_with(address) && text.ends_with(name), "an actor is elsewhere");
    } catch (const std::invalid_argument&) {
        return;
    }
}

/// The times of an expression come in order, and are what it says.
void follow(const cron& expression, std::chrono::sys_seconds from, const time_zone& zone)
{
    for (int i = 0; i < 4; ++i) {
        const auto next = expression.next_after(from, zone);
        if (!next)
            return;
        demand(*next > from, "a time of the calendar comes again");
        if (zone == time_zone())
            demand(expression.matches(zone.to_local(*next)), "a time of the calendar is none");
        from = *next;
    }
}

void read_cron(support::script& input)
{
    const std::chrono::sys_seconds from(std::chrono::seconds(static_cast<std::int64_t>(input.number())));
    const bool is_elsewhere = input.byte() % 2 == 1 && time_zone::has_database();
    const std::string_view text = input.text(1024);
    try {
        const cron expression = cron::parse(text);
        demand(expression == cron::parse(text), "an expression means two things");
        follow(expression, from, is_elsewhere ? time_zone::find("Europe/Berlin") : time_zone());
    } catch (const std::invalid_argument& refused) {
        demand(std::string_view(refused.what()).size() < 2048, "a refusal is as long as what it refuses");
    }
}

void read_pid(std::string_view text)
{
    if (const auto known = pid::parse(text))
        demand(known->to_string() == text, "a pid has two texts");
}

void read_zone(std::string_view text)
{
    try {
        const time_zone zone = time_zone::find(text);
        demand(zone == time_zone::find(text), "a zone is two");
    } catch (const std::invalid_argument& refused) {
        demand(std::string_view(refused.what()).size() < 2048, "a refusal is as long as what it refuses");
    }
}

/// What is shown is a line of bounded length.
void show(std::string_view text)
{
    const std::string shown = printable(text);
    demand(std::none_of(shown.begin(), shown.end(), is_control), "what is printable holds controls");
    demand(shown.size() < 600, "what is printable is long");
    const std::string what = rpc::error(rpc::errc::failed, text).what();
    demand(std::none_of(what.begin(), what.end(), is_control), "the text of an error has two lines");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    support::script input({bytes, size});
    switch (input.byte() % 5) {
    case 0:
        read_address(input.text(size));
        break;
    case 1:
        read_cron(input);
        break;
    case 2:
        read_pid(input.text(size));
        break;
    case 3:
        read_zone(input.text(64));
        break;
    default:
        show(input.text(size));
    }
    return 0;
}
