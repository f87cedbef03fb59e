// SPDX-License-Identifier: MIT

#include "news.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <vector>

#include "chat.costar.hpp"  // made of ../chat.capnp by capnpc-costar

namespace chat {

namespace json = boost::json;

namespace {

json::array list_of(const std::vector<std::string>& nicks)
{
    return json::array(nicks.begin(), nicks.end());
}

}  // namespace

wish read_wish(std::string_view text)
{
    boost::system::error_code failure;
    const json::value read = json::parse(text, failure);
    const json::object* const members = failure ? nullptr : read.if_object();
    if (members == nullptr || members->size() != 1)
        return {};
    const json::key_value_pair& only = *members->begin();
    if (only.key() == "who")
        return {wish::kind::who};
    const json::string* const words = only.value().if_string();
    if (words == nullptr || (only.key() != "join" && only.key() != "say"))
        return {};
    return {only.key() == "join" ? wish::kind::join : wish::kind::say, std::string(*words)};
}

std::string json_of(const entry& told)
{
    return json::serialize(
        json::object{{"kind", "entry"}, {"refusal", told.refusal}, {"others", list_of(told.others)}});
}

std::string json_of(const present& told)
{
    return json::serialize(json::object{{"kind", "present"}, {"nicks", list_of(told.nicks)}});
}

std::string notice(std::string_view text)
{
    return json::serialize(json::object{{"kind", "notice"}, {"text", text}});
}

std::string json_of(costar::message& news)
{
    json::object told;
    news.match(
        [&](const said& words) { told = {{"kind", "said"}, {"nick", words.nick}, {"text", words.text}}; },
        [&](const came& one) { told = {{"kind", "came"}, {"nick", one.nick}}; },
        [&](const left& one) { told = {{"kind", "left"}, {"nick", one.nick}, {"reason", one.reason}}; },
        [&](const gone& one) { told = {{"kind", "gone"}, {"nick", one.nick}}; });
    return json::serialize(told);
}

}  // namespace chat
