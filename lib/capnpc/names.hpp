// SPDX-License-Identifier: MIT

#pragma once

#include <string>
#include <string_view>

namespace costar::capnpc {

/// `sayHello` and `HTTPServer` as `say_hello` and `http_server`. What C++ or the made code needs itself gets
/// an underscore at its end.
std::string snake_name(std::string_view name);

/// The same without regard to what C++ needs: to build longer names of.
std::string snake_words(std::string_view name);

/// `name` as `Name`, as in `getName` of Cap'n Proto's classes.
std::string title_name(std::string_view name);

/// A method as Cap'n Proto's class of a server calls it: words of C++ get an underscore.
std::string server_name(std::string_view name);

/// Can it be the name of anything?
bool is_name(std::string_view text) noexcept;

/// `name` as `NAME`, as Cap'n Proto's constants are called.
std::string upper_name(std::string_view name);

/// A name in its scope, which may be none: "demo::outer".
std::string joined(std::string_view scope, std::string_view name);

/// The namespace beside a struct for what lies in it: `outer` as `outer_parts`.
std::string parts_name(std::string_view name);

/// A string literal, with its quotes.
std::string literal(std::string_view text);

}  // namespace costar::capnpc
