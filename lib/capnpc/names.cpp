// SPDX-License-Identifier: MIT

#include "names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace costar::capnpc {

namespace {

constexpr std::string_view keywords[] = {"alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand",
    "bitor", "bool", "break", "case", "catch", "char", "char16_t", "char32_t", "char8_t", "class", "co_await",
    "co_return", "co_yield", "compl", "concept", "const", "const_cast", "consteval", "constexpr", "constinit",
    "continue", "decltype", "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "explicit",
    "export", "extern", "false", "float", "for", "friend", "goto", "if", "inline", "int", "long", "mutable",
    "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq", "private",
    "protected", "public", "register", "reinterpret_cast", "requires", "return", "short", "signed", "sizeof",
    "static", "static_assert", "static_cast", "struct", "switch", "template", "this", "thread_local", "throw",
    "true", "try", "typedef", "typeid", "typename", "union", "unsigned", "using", "virtual", "void",
    "volatile", "wchar_t", "while", "xor", "xor_eq"};

// No words of C++, but the made code says them, or a macro is called so.
constexpr std::string_view taken[] = {
    "assert", "capnp", "costar", "errno", "kj", "linux", "main", "std", "stderr", "stdin", "stdout", "unix"};

bool is_keyword(std::string_view word) noexcept
{
    return std::ranges::find(keywords, word) != std::end(keywords);
}

constexpr bool is_upper(char letter) noexcept
{
    return letter >= 'A' && letter <= 'Z';
}
constexpr bool is_lower(char letter) noexcept
{
    return letter >= 'a' && letter <= 'z';
}
constexpr char lower(char letter) noexcept
{
    return is_upper(letter) ? static_cast<char>(letter - 'A' + 'a') : letter;
}
constexpr char upper(char letter) noexcept
{
    return is_lower(letter) ? static_cast<char>(letter - 'a' + 'A') : letter;
}

}  // namespace

std::string snake_words(std::string_view name)
{
    std::string made;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool ends_word = i > 0 && name[i - 1] != '_' && !is_upper(name[i - 1]);
        const bool begins_word =
            i > 0 && is_upper(name[i - 1]) && i + 1 < name.size() && is_lower(name[i + 1]);
        if (is_upper(name[i]) && (ends_word || begins_word))
            made += '_';
        made += lower(name[i]);
    }
    return made;
}

std::string snake_name(std::string_view name)
{
    std::string made = snake_words(name);
    if (is_keyword(made) || std::ranges::find(taken, made) != std::end(taken))
        made += '_';
    return made;
}

std::string server_name(std::string_view name)
{
    return std::string(name) + (is_keyword(name) ? "_" : "");
}

bool is_name(std::string_view text) noexcept
{
    const auto is_letter = [](char each) { return is_lower(each) || is_upper(each); };
    return !text.empty() && is_letter(text.front()) && std::ranges::all_of(text, [&](char each) {
        return is_letter(each) || each == '_' || (each >= '0' && each <= '9');
    });
}

std::string title_name(std::string_view name)
{
    std::string made(name);
    if (!made.empty())
        made[0] = upper(made[0]);
    return made;
}

std::string upper_name(std::string_view name)
{
    std::string made;
    for (const char letter : name) {
        if (is_upper(letter) && !made.empty())
            made += '_';
        made += upper(letter);
    }
    return made;
}

std::string joined(std::string_view scope, std::string_view name)
{
    return fmt::format("{}{}{}", scope, scope.empty() ? "" : "::", name);
}

std::string parts_name(std::string_view name)
{
    return fmt::format("{}{}parts", name, name.ends_with('_') ? "" : "_");
}

std::string literal(std::string_view text)
{
    std::string made = "\"";
    for (const char letter : text) {
        if (letter == '"' || letter == '\\')
            made += fmt::format("\\{}", letter);
        else if (letter == '\n')
            made += "\\n";
        else if (letter == '\t')
            made += "\\t";
        else if (letter == '?' && made.ends_with('?'))
            made += "\\?";  // two in a row might begin a trigraph
        else if (letter < ' ' || letter > '~')
            made += fmt::format("\\{:03o}", static_cast<unsigned char>(letter));
        else
            made += letter;
    }
    return made + '"';
}

}  // namespace costar::capnpc
