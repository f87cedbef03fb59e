// SPDX-License-Identifier: MIT

#pragma once

#include <costar/core/strand_driver.hpp>
#include <costar/post/copyable.hpp>

#include <cstddef>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

namespace costar::machine {

class strand_context;

}  // namespace costar::machine

namespace costar {

/// A type whose values are used on one strand only: it says so itself, by `static constexpr bool
/// belongs_to_strand = true`.
template <class T>
concept belongs_to_strand = T::belongs_to_strand;

}  // namespace costar

namespace costar::machine {

/// A type whose values know the strand that they belong to at the moment, null for none.
template <class T>
concept knows_strand = requires(const T& value) { value.bound_to(); };

/// Looks into a type for parts that belong to a strand. `Outer` are the types that are being looked into.
template <class T, class... Outer>
constexpr bool looks_strand_bound();

/// Converts to any part of an aggregate, and says that it may throw when that part belongs to a strand.
template <class... Outer>
struct unbound_part {
    template <class T>
    operator T() const noexcept(!looks_strand_bound<T, Outer...>());
};

template <std::size_t Count, class Aggregate, class... Outer>
constexpr bool has_strand_bound_parts()
{
    if constexpr (Count == 0)
        return false;
    else if constexpr (is_made_of<Aggregate, any_part>(std::make_index_sequence<Count>()))
        return !is_made_of<Aggregate, unbound_part<Aggregate, Outer...>>(std::make_index_sequence<Count>());
    else
        return has_strand_bound_parts<Count - 1, Aggregate, Outer...>();
}

template <class Tuple, class... Outer, std::size_t... Index>
constexpr bool has_strand_bound_elements(std::index_sequence<Index...>)
{
    return (
        looks_strand_bound<std::remove_cv_t<std::tuple_element_t<Index, Tuple>>, Tuple, Outer...>() || ...);
}

template <class T, class... Outer>
constexpr bool looks_strand_bound()
{
    if constexpr ((std::is_same_v<T, Outer> || ...) || !std::is_class_v<T> || std::is_trivially_copyable_v<T>)
        return false;
    else if constexpr (belongs_to_strand<T> || is_bound_elsewhere<T>)
        return true;
    else if constexpr (knows_strand<T>)
        return false;
    else if constexpr (requires { std::tuple_size<T>::value; })
        return has_strand_bound_elements<T, Outer...>(std::make_index_sequence<std::tuple_size<T>::value>());
    else if constexpr (requires { typename T::value_type; })
        return looks_strand_bound<std::remove_cv_t<typename T::value_type>, T, Outer...>();
    else if constexpr (std::is_aggregate_v<T>)
        return has_strand_bound_parts<16, T, Outer...>();
    else
        return false;
}

}  // namespace costar::machine

namespace costar {

/// Whether a value may not leave its strand: a received `message`, a `future`, the `sink` of a stream, what
/// room `rpc` has to do with, and what holds one.
///
/// Those are recognized in standard containers, pairs and tuples, and in the first 16 members of plain
/// structs. Neither pointers nor the captures of a lambda are looked into, nor a class with private members;
/// it is told: `template <> inline constexpr bool costar::is_strand_bound<my_job> = true;`.
template <class T>
inline constexpr bool is_strand_bound = machine::looks_strand_bound<T>();

/// Could a value belong to a strand?
template <class T>
inline constexpr bool may_be_strand_bound = is_strand_bound<T> || machine::knows_strand<T>;

}  // namespace costar

namespace costar::machine {

/// The strand in whose turn the caller is, null outside.
const strand_context* current_strand() noexcept;

/// The strand that a value belongs to; null for none, as when it is empty.
template <class T>
const strand_context* home_strand(const T& value)
{
    if constexpr (knows_strand<T>) {
        return value.bound_to();
    } else if constexpr (!is_strand_bound<T>) {
        return nullptr;
    } else if constexpr (requires { std::tuple_size<T>::value; }) {
        const strand_context* found = nullptr;
        std::apply(
            [&](const auto&... each) { ((found = found != nullptr ? found : home_strand(each)), ...); },
            value);
        return found;
    } else if constexpr (std::ranges::input_range<const T&>) {
        for (const auto& each : value)
            if (const strand_context* found = home_strand(each))
                return found;
        return nullptr;
    } else if constexpr (requires { static_cast<bool>(value) ? &*value : nullptr; }) {
        return value ? home_strand(*value) : nullptr;
    } else {
        return current_strand();  // what is in a struct belongs to where it is
    }
}

/// Throws the `std::logic_error` of something that would leave its strand.
[[noreturn]] void refuse_to_leave_strand();

}  // namespace costar::machine
